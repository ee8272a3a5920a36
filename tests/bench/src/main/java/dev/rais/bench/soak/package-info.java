/** Endurance: runs that are killed and go on, runs that never end. */
package dev.rais.bench.soak;
