package dev.rais.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Descriptors of memory and of primitives, which are needed only until the primitives are there:
 * all of them go when this is closed, however far the making came.
 */
final class DnnDescriptors implements AutoCloseable {
  private final Dnn dnn;
  private final List<MemorySegment> memory = new ArrayList<>();
  private final List<MemorySegment> primitives = new ArrayList<>();

  DnnDescriptors(Dnn dnn) {
    this.dnn = dnn;
  }

  /** An f32 memory descriptor; {@code tag} gives the layout of {@code dims}. */
  MemorySegment memory(int tag, long... dims) {
    int place = reserve(memory);
    memory.set(place, dnn.memoryDesc(tag, dims));
    return memory.get(place);
  }

  /** What a function that makes descriptors of primitives gives. */
  MemorySegment primitive(String function, Object... arguments) {
    int place = reserve(primitives);
    primitives.set(place, dnn.create(function, arguments));
    return primitives.get(place);
  }

  /** A place for a handle, so that nothing can fail between its making and its keeping. */
  private static int reserve(List<MemorySegment> handles) {
    handles.add(MemorySegment.NULL);
    return handles.size() - 1;
  }

  @Override
  public void close() {
    destroy("dnnl_primitive_desc_destroy", primitives);
    destroy("dnnl_memory_desc_destroy", memory);
  }

  private void destroy(String function, List<MemorySegment> handles) {
    for (int i = 0; i < handles.size(); i++) {
      if (handles.get(i).address() != 0) {
        dnn.destroy(function, handles.get(i));
      }
    }
  }
}
