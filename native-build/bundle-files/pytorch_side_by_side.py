#!/usr/bin/env python3
"""Trains RAIS's LeNet-5 or ResNet-18 with PyTorch, on synthetic data that lies on the device, and
prints images per second as JSON: eager, torch.compile, and a CUDA graph of the step. After each way a
line with all that is known by then is printed, so that one that has to be ended leaves the others.

The model is RAIS's own, layer by layer; batch, precision and augmentation are arguments. Each way is
warmed up, then timed in repeats of many steps that begin and end with a synchronisation; the median
of the repeats counts. A step draws the minibatch's indices, gathers and varies the images, runs
forward, cross-entropy, backward, and SGD with momentum and weight decay: what a step of RAIS does.
"""
import argparse
import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class LeNet5(nn.Module):
    """Two 5x5 convolutions of 20 and 50 channels with max pooling, 500 units."""

    image = (1, 28, 28)

    def __init__(self, classes=10):
        super().__init__()
        channels, height, width = self.image
        self.conv1 = nn.Conv2d(channels, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        features = 50 * (((height - 4) // 2 - 4) // 2) * (((width - 4) // 2 - 4) // 2)
        self.fc1 = nn.Linear(features, 500)
        self.fc2 = nn.Linear(500, classes)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm, and a shortcut."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.shortcut(x))


class ResNet18(nn.Module):
    """ResNet-18 for small images: begins with a 3x3 convolution, no pooling before the blocks."""

    image = (3, 32, 32)

    def __init__(self, classes=10):
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(64)
        blocks, inputs = [], 64
        for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            blocks += [Block(inputs, outputs, stride), Block(outputs, outputs, 1)]
            inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(512, classes)

    def forward(self, x):
        x = self.blocks(F.relu(self.bn(self.conv(x))))
        return self.fc(x.mean((2, 3)))


MODELS = {"lenet5": LeNet5, "resnet18": ResNet18}
FIRST_STEPS = 5  # torch.compile's graphs are run, recorded and replayed, one after the other


class Training:
    """A model with its data and optimiser; step() trains on one minibatch."""

    def __init__(self, options, compiled=None, layout=torch.channels_last):
        self.device = torch.device(options.device)
        self.layout = layout
        self.batch, self.precision, self.augment = options.batch, options.precision, options.augment
        torch.manual_seed(1)
        kind = MODELS[options.model]
        channels, height, width = kind.image
        self.model = kind().to(self.device, memory_format=layout)
        self.images = torch.randint(
            0, 256, (options.examples, channels, height, width), dtype=torch.uint8,
            device=self.device).contiguous(memory_format=layout)
        self.labels = torch.randint(0, 10, (options.examples,), device=self.device)
        self.mean = torch.full((1, channels, 1, 1), 127.5, device=self.device)
        fused = {"fused": True} if self.device.type == "cuda" else {}
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, **fused)
        self.forward = self.loss
        if compiled:
            self.forward = torch.compile(self.loss, mode=compiled)

    def varied(self, x):
        """Shifts by up to 4 pixels with zeros around, and mirrors half of the images."""
        n, _, height, width = x.shape
        x = F.pad(x, (4, 4, 4, 4))
        rows = torch.randint(0, 9, (n, 1), device=x.device) + torch.arange(height, device=x.device)
        columns = torch.randint(0, 9, (n, 1), device=x.device) + torch.arange(width, device=x.device)
        mirrored = torch.rand(n, 1, device=x.device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
        examples = torch.arange(n, device=x.device)[:, None, None]
        picked = x.permute(0, 2, 3, 1)[examples, rows[:, :, None], columns[:, None, :]]
        return picked.permute(0, 3, 1, 2)

    def loss(self, x, y):
        x = (x.float() - self.mean) / 127.5
        x = (self.varied(x) if self.augment else x).contiguous(memory_format=self.layout)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits = self.model(x)
        return F.cross_entropy(logits.float(), y)

    def step(self):
        indices = torch.randint(0, len(self.labels), (self.batch,), device=self.device)
        loss = self.forward(self.images[indices], self.labels[indices])
        # None instead of zeros saves a pass over them; a captured step finds them in the graph's own
        # memory, and those of torch.compile's graphs must not be touched after their step.
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss


def graphed(training):
    """The step as one CUDA graph: captured after a warm-up on a stream of its own."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(11):
            training.step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        training.step()
    kept = (graph, training)  # whose memory the graph works on
    return lambda: kept[0].replay()


def measure(step, options):
    """Images per second: the median over repeats, and how far they spread."""
    synchronize = torch.cuda.synchronize if options.device.startswith("cuda") else lambda: None
    # The first steps compile and choose algorithms, for minutes perhaps: by their time one step would
    # seem enough for a repeat.
    for _ in range(FIRST_STEPS):
        step()
    synchronize()
    begun = time.perf_counter()
    steps = 0
    while steps < 3 or time.perf_counter() - begun < options.warmup:
        step()
        synchronize()
        steps += 1
    per_step = (time.perf_counter() - begun) / steps
    count = max(1, round(options.seconds / options.repeats / per_step))
    rates = []
    for _ in range(options.repeats):
        synchronize()
        begun = time.perf_counter()
        for _ in range(count):
            step()
        synchronize()
        rates.append(options.batch * count / (time.perf_counter() - begun))
    median = statistics.median(rates)
    return {"imagesPerSecond": median, "spread": (max(rates) - min(rates)) / median}


def ways(options):
    """What is timed, by name in the order wanted: functions that make a step."""
    contiguous = torch.contiguous_format
    all_ways = {
        "eager": lambda: Training(options).step,
        "eager-contiguous": lambda: Training(options, layout=contiguous).step,
        "compile": lambda: Training(options, "default").step,
        "max-autotune": lambda: Training(options, "max-autotune").step,
        "graph": lambda: graphed(Training(options)),
        "graph-contiguous": lambda: graphed(Training(options, layout=contiguous)),
    }
    wanted = options.ways.split(",")
    unknown = [name for name in wanted if name not in all_ways]
    if unknown:
        raise SystemExit(f"there is no way {unknown[0]}; ways: {', '.join(all_ways)}")
    return {name: all_ways[name] for name in wanted}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=sorted(MODELS), required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32")
    parser.add_argument("--augment", action="store_true", help="shift by up to 4 pixels, mirror")
    parser.add_argument("--examples", type=int, default=50000)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--ways", default="eager,compile,graph", help="NAME,... in this order")
    parser.add_argument("--warmup", type=float, default=5.0, help="seconds")
    parser.add_argument("--seconds", type=float, default=10.0, help="that all repeats take")
    parser.add_argument("--repeats", type=int, default=9)
    return parser.parse_args()


def main():
    options = arguments()
    cuda = options.device.startswith("cuda")
    if cuda and not torch.cuda.is_available():
        print("pytorch_side_by_side: PyTorch sees no CUDA device", file=sys.stderr)
        return 1
    allowed = options.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed
    torch.backends.cudnn.benchmark = True
    results = {
        "torch": torch.__version__, "cuda": torch.version.cuda,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "model": options.model, "batch": options.batch,
        "parameters": sum(p.numel() for p in MODELS[options.model]().parameters()),
        "precision": options.precision, "augment": options.augment}
    measured = 0
    for name, make in ways(options).items():
        # One that fails, for want of a compiler for example, leaves the others.
        try:
            rate = measure(make(), options)
            results[name] = rate["imagesPerSecond"]
            results[name + "-spread"] = rate["spread"]
            measured += 1
        except Exception as e:  # pylint: disable=broad-except
            results[name] = (f"{type(e).__name__}: {e}".splitlines() or ["?"])[0]
        print(json.dumps(results), flush=True)
    return 0 if measured > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
