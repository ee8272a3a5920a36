package dev.rais.kernels;

import dev.rais.backend.cuda.CudaContext;
import dev.rais.backend.cuda.CudaGraph;
import dev.rais.backend.cuda.CudaStream;
import dev.rais.backend.cuda.DeviceMemory;
import dev.rais.backend.cuda.Kernels;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A CUDA device. */
final class CudaMachine implements Machine {
  private final Kernels kernels;
  private final CudaContext context;
  private final CudaStream stream;

  /** Takes the context over. */
  CudaMachine(CudaContext context, Kernels kernels) {
    this.kernels = kernels;
    this.context = context;
    stream = context.newStream();
  }

  @Override
  public String description() {
    return context.description() + "; " + kernels.buildInfo();
  }

  @Override
  public Kernels kernels() {
    return kernels;
  }

  @Override
  public MemorySegment stream() {
    return stream.pointer();
  }

  @Override
  public Memory allocate(long numBytes) {
    DeviceMemory memory = context.allocate(numBytes);
    return new Memory() {
      @Override
      public MemorySegment at(long offset) {
        return memory.at(offset);
      }

      @Override
      public void write(byte[] bytes) {
        try (Arena arena = Arena.ofConfined()) {
          MemorySegment host = arena.allocate(numBytes);
          host.copyFrom(MemorySegment.ofArray(bytes));
          memory.copyFrom(host, 0, stream);
          stream.synchronize();
        }
      }

      @Override
      public void read(byte[] bytes) {
        try (Arena arena = Arena.ofConfined()) {
          MemorySegment host = arena.allocate(numBytes);
          memory.copyTo(host, 0, stream);
          stream.synchronize();
          MemorySegment.ofArray(bytes).copyFrom(host);
        }
      }

      @Override
      public void close() {
        memory.close();
      }
    };
  }

  /** Launched twice, then captured into a graph, which is launched twice. */
  @Override
  public void inEveryWay(Runnable launches, Way way) {
    Runnable plain = () -> waitFor(launches);
    way.run("once", plain);
    way.run("again", plain);
    try (CudaGraph graph = stream.capture(launches)) {
      Runnable replay = () -> waitFor(() -> graph.launch(stream));
      way.run("as a CUDA graph", replay);
      way.run("as a CUDA graph again", replay);
    }
  }

  private void waitFor(Runnable work) {
    work.run();
    stream.synchronize();
  }

  @Override
  public void synchronize() {
    stream.synchronize();
  }

  @Override
  public void close() {
    stream.close();
    context.close();
  }
}
