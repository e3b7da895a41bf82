# The peer of run_on_gpu.sh: DeiT's forward pass by PyTorch in bf16 on the same card, eager and compiled. A test's tool: no
# part of the product. timm's networks if timm is there, else the same layers by torch.nn.
import json
import sys
import time

import torch
from torch import nn

WIDTHS = {"deit_tiny_patch16_224": (192, 3), "deit_small_patch16_224": (384, 6), "deit_base_patch16_224": (768, 12)}


class Vit(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 197, width))
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", 1e-6, True, True)
        self.blocks = nn.TransformerEncoder(layer, 12, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
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
        return Vit(*WIDTHS[name]), "torch.nn"


def milliseconds(model, images):
    for _ in range(5):
        model(images)
    torch.cuda.synchronize()
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(20):
        model(images)
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end) / 20


rows = []
began = time.monotonic()
with torch.inference_mode():
    for name in WIDTHS:
        plain, source = network(name)
        plain = plain.cuda().to(torch.bfloat16).eval()
        for mode, model in (("eager", plain), ("torch.compile", torch.compile(plain, mode="max-autotune-no-cudagraphs"))):
            for batch in (1, 32, 256):
                if time.monotonic() - began > 120:
                    break
                ms = milliseconds(model, torch.randn(batch, 3, 224, 224, device="cuda", dtype=torch.bfloat16))
                rows.append({"model": name, "source": source, "mode": mode, "batch": batch, "ms": ms})
print(f"| PyTorch {torch.__version__}, bf16 | mode | batch | ms | images/s |\n|---|---|---|---|---|")
for row in rows:
    print(f"| {row['model']} ({row['source']}) | {row['mode']} | {row['batch']} | {row['ms']:.3f} | {1e3 * row['batch'] / row['ms']:.0f} |")
json.dump(rows, open(sys.argv[1], "w"))
