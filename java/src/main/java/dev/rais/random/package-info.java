/**
 * Random numbers as pure functions of where they are used: the same at any thread count and on
 * every device. See {@link dev.rais.random.Philox} for the contract that other implementations
 * reproduce bit for bit, and {@link dev.rais.random.Streams} for who uses which numbers.
 */
package dev.rais.random;
