#!/usr/bin/env python3
"""Times what PyTorch does for RAIS's fused kernels, and prints one line of JSON, times in microseconds:

softmaxXent: the loss layer as separate operations, each a pass over memory: log softmax, the losses,
  softmax - y, its norms, and the gradients with weights. Ranks, which RAIS's kernel gives too, are not
  among them.
multinomialMicros: torch.multinomial of 1,024 out of 10^7 with replacement; a step of RAIS's sum tree
  also gives the drawn ones new values, which here would come on top.

Operands are there several times over, so that none is found in the device's cache.
"""
import argparse
import json
import statistics
import sys
import time

import torch

# Those of kernel_bench with at least 2^24 logits.
SHAPES = [(2097152, 10), (262144, 100), (32768, 1000), (1024, 32000), (128, 200000)]
BEYOND_CACHES = 200e6
MOST_COPIES = 64


def separate(logits, labels, weights, scale):
    """Losses, norms of softmax - y, and weighted gradients of the logits."""
    logarithms = torch.log_softmax(logits, 1)
    losses = -logarithms.gather(1, labels[:, None])[:, 0]
    differences = logarithms.exp()
    differences.scatter_add_(1, labels[:, None], differences.new_full((len(labels), 1), -1))
    norms = torch.linalg.vector_norm(differences, dim=1)
    gradients = differences * (weights * scale).to(logits.dtype)[:, None]
    return losses, norms, gradients


def check():
    """The separate operations are those of the loss: their gradients are PyTorch's own."""
    torch.manual_seed(1)
    logits = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    labels, weights = torch.randint(0, 5, (7,)), torch.rand(7, dtype=torch.float64)
    losses, norms, gradients = separate(logits.detach(), labels, weights, 1 / 7)
    expected = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    (expected * weights).mean().backward()
    each = torch.softmax(logits.detach(), 1) - torch.nn.functional.one_hot(labels, 5)
    assert torch.allclose(losses, expected.detach())
    assert torch.allclose(gradients, logits.grad)
    assert torch.allclose(norms, each.norm(dim=1))


def copies_of(size):
    """How many operands of so many bytes exceed the device's cache."""
    return min(MOST_COPIES, max(2, round(BEYOND_CACHES / size)))


def micros(device, work, copies, seconds):
    """Median time of work(k) for k in turn, of 7 repeats that take so many seconds in all."""
    repeats = 7
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    for k in range(copies):
        work(k)
    wait()
    begun = time.perf_counter()
    for k in range(copies):
        work(k)
    wait()
    one = (time.perf_counter() - begun) / copies
    count = max(1, round(seconds / repeats / one))
    times = []
    for _ in range(repeats):
        wait()
        begun = time.perf_counter()
        for k in range(count):
            work(k % copies)
        wait()
        times.append((time.perf_counter() - begun) / count * 1e6)
    return statistics.median(times)


def loss_layer(device, m, classes, dtype, seconds):
    """Time of the separate operations on so many rows."""
    copies = copies_of(m * classes * (4 if dtype is torch.float32 else 2))
    logits = [(torch.rand(m, classes, device=device) * 8 - 4).to(dtype) for _ in range(copies)]
    labels = torch.randint(0, classes, (m,), device=device)
    weights = torch.rand(m, device=device) + 0.1
    return micros(device, lambda k: separate(logits[k], labels, weights, 1 / m), copies, seconds)


def multinomial(device, n, m, seconds):
    """Time of m draws out of n."""
    leaves = [torch.rand(n, device=device) for _ in range(copies_of(4 * n))]
    return micros(device, lambda k: torch.multinomial(leaves[k], m, replacement=True), len(leaves),
                  seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each row")
    parser.add_argument("--small", action="store_true", help="small shapes: shows that it runs")
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("pytorch_kernels: PyTorch sees no CUDA device", file=sys.stderr)
        return 1
    check()
    rows = []
    for m, classes in [(9, 10), (5, 100)] if options.small else SHAPES:
        for dtype, name in ((torch.float32, "fp32"), (torch.bfloat16, "bf16")):
            rows.append({"shape": f"m={m} K={classes} {name}",
                         "micros": loss_layer(device, m, classes, dtype, options.seconds)})
    n = 5003 if options.small else 10_000_000
    print(json.dumps({
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "softmaxXent": rows,
        "multinomialMicros": multinomial(device, n, 1024, options.seconds)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
