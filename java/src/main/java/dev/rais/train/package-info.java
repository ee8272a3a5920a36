/**
 * Training runs: configuration, the training loop, evaluation, and the files a run leaves behind.
 */
package dev.rais.train;
