# The peer of run_on_gpu.sh: DeiT's forward pass by PyTorch in bf16 on the same card: eager, as a CUDA graph, and compiled
# (mode "reduce-overhead", whose kernels run as a CUDA graph, too). A test's tool: no part of the product. timm's networks if
# timm is there, else the same layers by torch.nn. What was measured is in the file after each time, however this ends.
#   python3 tests/cuda/torch_peer.py FILE.json [--seconds N]
import argparse
import json
import os
import time

import torch
from torch import nn
from torch.nn import functional

SIZES = {"deit_tiny_patch16_224": (192, 3), "deit_small_patch16_224": (384, 6), "deit_base_patch16_224": (768, 12)}
BATCHES = (256, 1, 32)  # those that goals are about, first


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        images, tokens, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(images, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        attended = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(attended.transpose(1, 2).reshape(images, tokens, width))
        return x + self.fc2(functional.gelu(self.fc1(self.norm2(x))))


class Vit(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 197, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(12)))
        self.norm = nn.LayerNorm(width, 1e-6)
        self.head = nn.Linear(width, 1000)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


def network(name):
    try:
        import timm
        return timm.create_model(name), "timm"
    except ImportError:
        return Vit(*SIZES[name]), "torch.nn"


def as_graph(model, images):
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            model(images)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        model(images)
    return lambda _: graph.replay()


def milliseconds(plain, mode, batch):
    images = torch.randn(batch, 3, 224, 224, device="cuda", dtype=torch.bfloat16)
    if mode == "eager":
        run = plain
    elif mode == "eager, CUDA graph":
        run = as_graph(plain, images)
    else:
        torch.compiler.reset()
        run = torch.compile(plain, mode="reduce-overhead", dynamic=False)
    for _ in range(5):
        run(images)
    torch.cuda.synchronize()
    best = float("inf")
    for times in (5, 20, 20):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        for _ in range(times):
            run(images)
        end.record()
        torch.cuda.synchronize()
        best = min(best, begin.elapsed_time(end) / times)
    return best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--seconds", type=float, default=90, help="begin nothing new after so many")
    options = parser.parse_args()
    began = time.monotonic()
    rows, left_out, failed = [], 0, 0
    with torch.inference_mode():
        for name in SIZES:
            plain, source = network(name)
            plain = plain.cuda().to(torch.bfloat16).eval()
            for mode in ("eager", "eager, CUDA graph", "torch.compile, reduce-overhead"):
                for batch in BATCHES:
                    if time.monotonic() - began > options.seconds:
                        left_out += 1
                        continue
                    try:
                        ms = milliseconds(plain, mode, batch)
                    except Exception as error:  # no compiler, no memory: the other modes may do
                        print(f"{name}, {mode}, batch {batch}: {type(error).__name__}: {error}", flush=True)
                        failed += 1
                        continue
                    rows.append({"model": name, "source": source, "mode": mode, "batch": batch, "ms": ms})
                    print(f"{name} ({source}), {mode}, batch {batch}: {ms:.3f} ms", flush=True)
                    with open(options.file + ".new", "w") as file:
                        json.dump(rows, file)
                    os.replace(options.file + ".new", options.file)
    print(f"PyTorch {torch.__version__}, bf16: {len(rows)} times, {left_out} left out for want of time, {failed} failed")


main()
