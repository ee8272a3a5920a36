/**
 * RAIS where the machine lets it down: its own classes are loaded with a fault woven into every
 * place that allocates, or that asks oneDNN for something, and each is made to fail in turn.
 */
package dev.rais.faults;
