package dev.rais.nn;

/** A layer that also adds a second input, the residual, which has the shape of its output. */
interface JoiningLayer extends Layer {}
