package dev.rais.backend;

import java.util.function.BiConsumer;

/**
 * A row of the conformance table.
 *
 * @param op the operation it tries
 * @param name operation, shape and kind of data, for the report
 * @param body fills operands, runs the operation and compares
 */
record Case(Op op, String name, BiConsumer<Backend, Trial> body) {}
