/** Gradient variance under different ways of drawing. */
package dev.rais.bench.draws;
