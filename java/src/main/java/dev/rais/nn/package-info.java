/**
 * Networks: layers that call only the {@link dev.rais.backend.Backend}, their parameters, the
 * learning-rate schedules.
 *
 * <p>A {@link dev.rais.nn.Model} is a description; a {@link dev.rais.nn.Network} gives it
 * parameters on a backend; a {@link dev.rais.nn.BoundNetwork} gives it activations for one batch
 * size, so that one set of parameters serves training and evaluation.
 */
package dev.rais.nn;
