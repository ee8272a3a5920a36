package dev.rais.backend;

/** Where bytes lie that a backend's operations only read, above all the images of a data set. */
public enum Placement {
  /** In a copy in the backend's own memory. */
  DEVICE,
  /** In a copy in host memory, from where operations read what they need. */
  HOST,
  /** Where they are: the backend's memory is the host's. */
  SHARED
}
