/**
 * A training loop of another library, driven by an {@link dev.rais.sampling.ImportanceSampler}.
 * {@link dev.rais.example.TrainingLoop} is the part to imitate; {@link
 * dev.rais.example.ForeignTrainer} is all it asks of the other library.
 */
package dev.rais.example;
