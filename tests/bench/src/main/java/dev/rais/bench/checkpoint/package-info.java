/** What saving a run costs it. */
package dev.rais.bench.checkpoint;
