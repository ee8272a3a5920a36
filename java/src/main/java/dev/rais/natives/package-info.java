/**
 * Native libraries: out of a jar into a private, checked folder of the user's cache, and their
 * functions bound by name and signature. What the backends that call C share.
 */
package dev.rais.natives;
