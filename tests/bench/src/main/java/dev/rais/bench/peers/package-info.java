/**
 * Whole training steps of this library beside those of other libraries.
 *
 * <p>Each library trains in a JVM of its own, which trains so many steps when told to and sleeps
 * otherwise; the JVMs take turns, so that whatever else the machine does meets all of them alike.
 */
package dev.rais.bench.peers;
