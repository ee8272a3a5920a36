package dev.rais.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rais.backend.cuda.KernelCalls;
import dev.rais.backend.cuda.KernelException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Spoils a {@link GoodCall} in every way it names, one argument at a time. */
final class Misuse {
  private final Machine machine;
  private final GoodCall call;
  private final List<KernelHeader.Parameter> parameters;
  private final List<Object> good = new ArrayList<>();

  Misuse(Machine machine, GoodCall call) {
    this.machine = machine;
    this.call = call;
    parameters =
        KernelHeader.read().functions().stream()
            .filter(f -> f.name().equals(call.function()))
            .findFirst()
            .orElseThrow()
            .parameters();
    assertEquals(parameters.size() - 1, call.arguments().size(), "arguments of " + call.function());
  }

  void run() {
    List<Machine.Memory> memories = new ArrayList<>();
    try {
      good.add(machine.stream());
      for (GoodCall.Argument argument : call.arguments()) {
        switch (argument) {
          case GoodCall.Pointer p -> {
            Machine.Memory memory = machine.allocate(p.numBytes());
            memory.write(new byte[Math.toIntExact(p.numBytes())]);
            memories.add(memory);
            good.add(memory.at(0));
          }
          case GoodCall.Value v -> good.add(v.good());
        }
      }
      accepts(good);
      for (int i = 1; i < good.size(); i++) {
        switch (call.arguments().get(i - 1)) {
          case GoodCall.Pointer p -> spoil(i, p);
          case GoodCall.Value v -> {
            for (Object bad : v.bad()) {
              refuses(i, bad);
            }
          }
        }
      }
      accepts(good); // a refusal leaves nothing behind
    } finally {
      memories.forEach(Machine.Memory::close);
    }
  }

  private void spoil(int i, GoodCall.Pointer pointer) {
    if (pointer.nullable()) {
      accepts(with(i, MemorySegment.NULL));
    } else {
      refuses(i, MemorySegment.NULL);
    }
    long address = ((MemorySegment) good.get(i)).address();
    for (int offset = pointer.alignment() / 2; offset > 0; offset /= 2) {
      refuses(i, MemorySegment.ofAddress(address + offset));
    }
  }

  private List<Object> with(int i, Object argument) {
    List<Object> arguments = new ArrayList<>(good);
    arguments.set(i, argument);
    return arguments;
  }

  private void accepts(List<Object> arguments) {
    KernelCalls.call(machine.kernels(), call.function(), arguments.toArray());
    machine.synchronize();
  }

  private void refuses(int i, Object bad) {
    String argument = parameters.get(i).name();
    String what = call.function() + " with " + argument + " = " + bad;
    KernelException e =
        assertThrows(
            KernelException.class,
            () -> KernelCalls.call(machine.kernels(), call.function(), with(i, bad).toArray()),
            what);
    assertNotEquals(KernelException.Status.CUDA_ERROR, e.status(), what + ": " + e.getMessage());
    assertTrue(
        e.getMessage().startsWith(call.function() + "(") && e.getMessage().contains(argument),
        what + ": the message must name the function and the argument: " + e.getMessage());
  }
}
