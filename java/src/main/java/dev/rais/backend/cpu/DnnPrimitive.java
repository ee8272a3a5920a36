package dev.rais.backend.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * One oneDNN primitive with the layouts of its operands settled: {@link #execute} takes our dense
 * buffers and reorders those for which the primitive chose a layout of its own.
 */
final class DnnPrimitive implements AutoCloseable {
  /** Bytes of dnnl_exec_arg_t: int arg, padding, pointer. */
  private static final int EXEC_ARG = 16;

  private static final int EXEC_MEMORY_OFFSET = 8;

  private final DnnRuntime runtime;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment primitive;
  private final String implementation;
  private final MemorySegment execArguments;
  private final List<Operand> operands = new ArrayList<>();
  private final MemorySegment scratchpad;
  private int bound;
  private boolean closed;

  /**
   * An operand as the caller sees it.
   *
   * @param argument index of the argument in the API
   * @param query which descriptor of the primitive describes it, or 0 where {@code layout} is final
   * @param layout descriptor of our dense buffer
   * @param output whether the primitive writes it
   */
  record OperandSpec(int argument, int query, MemorySegment layout, boolean output) {}

  /** One bound operand; {@code reorder} is null where the layouts agree. */
  private static final class Operand {
    MemorySegment memory;
    long address;

    /** Where it lies in the runtime's staging area in the layout that the primitive wants. */
    long stagedAt;

    long stagedBytes;
    DnnPrimitive reorder;
    boolean output;
  }

  /**
   * Makes a primitive; its description and the specs' layouts stay the caller's.
   *
   * @throws DnnException if oneDNN cannot make it, or only a slow one; nothing is then left of it
   */
  DnnPrimitive(DnnRuntime runtime, MemorySegment primitiveDesc, List<OperandSpec> specs) {
    this.runtime = runtime;
    Dnn dnn = runtime.dnn();
    try {
      implementation = dnn.implementation(primitiveDesc);
      if (implementation.startsWith("ref")) {
        // The reference implementations are a hundred times slower: a silent one would look like
        // a hang.
        throw new DnnException("it has only its reference implementation, " + implementation);
      }
      primitive = dnn.create("dnnl_primitive_create", primitiveDesc);
      execArguments = arena.allocate((long) EXEC_ARG * (specs.size() + 1), 8);
      long stagingBytes = 0;
      for (OperandSpec spec : specs) {
        stagingBytes += add(spec, primitiveDesc, stagingBytes);
      }
      MemorySegment scratchpadMd = dnn.queryMd(primitiveDesc, Dnn.QUERY_SCRATCHPAD_MD);
      long scratchpadBytes = scratchpadMd.address() == 0 ? 0 : dnn.size(scratchpadMd);
      scratchpad = scratchpadBytes == 0 ? null : bind(Dnn.ARG_SCRATCHPAD, scratchpadMd);
      runtime.reserveScratchpad(scratchpadBytes);
      runtime.reserveStaging(stagingBytes);
      runtime.register(this);
    } catch (Throwable e) {
      release();
      throw e;
    }
  }

  /** Binds an operand; returns the bytes that it takes in the staging area from there on. */
  private long add(OperandSpec spec, MemorySegment primitiveDesc, long stagedAt) {
    Dnn dnn = runtime.dnn();
    Operand operand = new Operand();
    operands.add(operand);
    operand.output = spec.output();
    MemorySegment wanted =
        spec.query() == 0 ? spec.layout() : dnn.queryMd(primitiveDesc, spec.query());
    operand.memory = bind(spec.argument(), wanted);
    if (dnn.equal(wanted, spec.layout())) {
      return 0;
    }
    operand.stagedAt = stagedAt;
    operand.stagedBytes = dnn.size(wanted);
    operand.reorder =
        spec.output()
            ? reorder(runtime, wanted, spec.layout())
            : reorder(runtime, spec.layout(), wanted);
    return (operand.stagedBytes + 63) / 64 * 64;
  }

  private static DnnPrimitive reorder(DnnRuntime runtime, MemorySegment from, MemorySegment to) {
    try (DnnDescriptors descriptors = new DnnDescriptors(runtime.dnn())) {
      MemorySegment desc =
          descriptors.primitive(
              "dnnl_reorder_primitive_desc_create",
              from,
              runtime.engine(),
              to,
              runtime.engine(),
              runtime.attributes());
      return new DnnPrimitive(
          runtime,
          desc,
          List.of(
              new OperandSpec(Dnn.ARG_SRC, 0, from, false),
              new OperandSpec(Dnn.ARG_DST, 0, to, true)));
    }
  }

  private MemorySegment bind(int argument, MemorySegment memoryDesc) {
    MemorySegment memory =
        runtime
            .dnn()
            .create("dnnl_memory_create", memoryDesc, runtime.engine(), MemorySegment.NULL);
    long offset = (long) EXEC_ARG * bound++;
    execArguments.set(JAVA_INT, offset, argument);
    execArguments.set(ADDRESS, offset + EXEC_MEMORY_OFFSET, memory);
    return memory;
  }

  /** The implementation oneDNN chose, with a mark for each operand that has to be reordered. */
  String implementation() {
    StringBuilder text = new StringBuilder(implementation);
    for (Operand operand : operands) {
      text.append(operand.reorder == null ? "" : " +reorder");
    }
    return text.toString();
  }

  /** Runs on the operands' memory, in the order of the specs. */
  void execute(MemorySegment... data) {
    if (closed) {
      throw new IllegalStateException("the operation was used after it was closed");
    }
    runtime.enter();
    Dnn dnn = runtime.dnn();
    for (int i = 0; i < data.length; i++) {
      Operand operand = operands.get(i);
      if (operand.reorder != null && !operand.output) {
        operand.reorder.execute(data[i], staged(operand));
      }
      MemorySegment used = operand.reorder == null ? data[i] : staged(operand);
      if (operand.address != used.address()) {
        dnn.setDataHandle(operand.memory, used);
        operand.address = used.address();
      }
    }
    if (scratchpad != null) {
      dnn.setDataHandle(scratchpad, runtime.scratchpad());
    }
    dnn.execute(primitive, runtime.stream(), bound, execArguments);
    for (int i = 0; i < data.length; i++) {
      Operand operand = operands.get(i);
      if (operand.reorder != null && operand.output) {
        operand.reorder.execute(staged(operand), data[i]);
      }
    }
  }

  private MemorySegment staged(Operand operand) {
    return runtime.staging().asSlice(operand.stagedAt, operand.stagedBytes);
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    runtime.unregister(this);
    release();
  }

  /** Gives back what there is; where the constructor failed, that is not everything. */
  private void release() {
    Dnn dnn = runtime.dnn();
    for (int i = 0; i < operands.size(); i++) {
      Operand operand = operands.get(i);
      if (operand.memory != null) {
        dnn.destroy("dnnl_memory_destroy", operand.memory);
      }
      if (operand.reorder != null) {
        operand.reorder.close();
      }
    }
    if (scratchpad != null) {
      dnn.destroy("dnnl_memory_destroy", scratchpad);
    }
    if (primitive != null) {
      dnn.destroy("dnnl_primitive_destroy", primitive);
    }
    arena.close();
  }
}
