#!/usr/bin/env python3
"""Times the CUDA library through its C ABI (native/cuda/abi.h and the records that it includes), and PyTorch's kernels
beside it.

    python3 yardstick.py --library libcachalot_cuda.so [--small] [--out FOLDER]

Shapes are llama-3.1-8b's. Without PyTorch only ours are timed. Weights and keys are random bytes: this is about
time; `gpu-check.js` is about results. Launches of one measurement form a CUDA graph over copies of the data that
together are larger than the caches.
"""
import argparse
import ctypes as c
import json
import os
import time

try:
    import torch
    import torch.nn.functional as F

    if not torch.cuda.is_available():
        torch = None
except ImportError:
    torch = None

P, I, U, L = c.c_void_p, c.c_int32, c.c_uint32, c.c_uint64


def struct(name, /, **fields):
    return type(name, (c.Structure,), {"_fields_": list(fields.items())})


# The structs of abi.h and its records that are used here, field by field.
Layout = struct("Layout", k=U, v=U, head_dim=I, block_units=U, kind=U)
Kv = struct("Kv", base=P, layout=Layout, n_layers=I, n_kv_heads=I, unused=U)
Table = struct("Table", store=Kv, first=U, unused=U)
Part = struct(
    "Part", table=Table, first_key=I, end_key=I, position=I, shift=I, last_position=I, sharpness=c.c_float, blend=I,
    lse_factor=c.c_float)
Plan = struct(
    "Plan", parts=P, items=P, item_rows=P, pieces=P, bundles=P, merge_begin=P, merge_entries=P, blend_factors=P,
    n_bundles=I, n_partials=I)
Header = struct(
    "Header", slabs=P, new_slabs=P, new_addresses=P, n_new_slabs=L, tokens=P, output_rows=P, targets=P, samples=P, kept_rows=P,
    plans=Plan * 8)
Rows = struct("Rows", codes=P, scales=P, sums=P, kind=I, padded=I)
Output = struct("Output", weight=P, bias=P, y=P, n_outputs=I, n_slices=I, first_cta=I, first_tile=I)
LinearArgs = struct(
    "LinearArgs", outputs=Output * 4, rows=Rows, workspace=P, counters=P, n_used=I, format=I, n_rows=I, n_chunks=I,
    serial_slices=I, token_tile=I, n_ctas=I, unused=I)
Rope = struct("Rope", cosines=P, sines=P, rotated_dims=I, interleaved=I)
AttentionArgs = struct(
    "AttentionArgs", step=P, rope=Rope, q=P, partials=P, counters=P, plan=I, layer=I, n_heads=I, n_kv_heads=I,
    head_dim=I, scale_log2=c.c_float)
MergeArgs = struct(
    "MergeArgs", step=P, partials=P, out=P, prepared=Rows, plan=I, n_rows=I, n_heads=I, head_dim=I)
Launch = struct("Launch", op=I, size=I, args=c.c_uint8 * 320)
Info = struct(
    "Info", name=c.c_char * 256, major=I, minor=I, n_multiprocessors=I, ordinal=I, total_bytes=L)
LINEAR, ATTENTION, MERGE = 4, 14, 15

TABLE = [
    ("version", None), ("count_devices", c.CFUNCTYPE(I, c.c_char_p, I)), ("describe", c.CFUNCTYPE(I, I, c.POINTER(Info))),
    ("open", c.CFUNCTYPE(I, I, c.POINTER(P))), ("close", c.CFUNCTYPE(None, P)),
    ("last_error", c.CFUNCTYPE(c.c_char_p, I)), ("allocate", c.CFUNCTYPE(I, P, L, c.POINTER(P))),
    ("release", c.CFUNCTYPE(None, P, P)), ("allocate_pinned", c.CFUNCTYPE(I, P, L, c.POINTER(P))),
    ("release_pinned", c.CFUNCTYPE(None, P, P)), ("write", c.CFUNCTYPE(I, P, P, P, L)),
    ("read", c.CFUNCTYPE(I, P, P, P, L)), ("fill", c.CFUNCTYPE(I, P, P, c.c_uint8, L)),
    ("run", c.CFUNCTYPE(I, P, c.POINTER(Launch), I)),
    ("make_graph", c.CFUNCTYPE(I, P, c.POINTER(Launch), I, c.POINTER(P))), ("run_graph", c.CFUNCTYPE(I, P, P)),
    ("release_graph", c.CFUNCTYPE(None, P, P)), ("wait", c.CFUNCTYPE(I, P)), ("free_memory", c.CFUNCTYPE(I, P, c.POINTER(L))),
]
Library = type("Library", (c.Structure,), {"_fields_": [(n, t or L) for n, t in TABLE]})  # a u32 and its padding


class Device:
    def __init__(self, path):
        load = c.CDLL(path).cachalot_cuda_library
        load.restype = c.POINTER(Library)
        self.lib = load().contents
        why = c.create_string_buffer(512)
        if self.lib.count_devices(why, 512) == 0:
            raise SystemExit(f"error: {why.value.decode()}")
        self.info, handle = Info(), P()
        self.check(self.lib.describe(0, c.byref(self.info)))
        self.check(self.lib.open(0, c.byref(handle)))
        self.handle, self.memory = handle, []

    def check(self, status):
        if status:
            raise SystemExit(f"error: CUDA failed: {self.lib.last_error(status).decode()}")

    def bytes(self, n, fill=0):
        address = P()
        self.check(self.lib.allocate(self.handle, max(n, 16), c.byref(address)))
        self.check(self.lib.fill(self.handle, address, fill, max(n, 16)))
        self.memory.append(address)
        return address.value

    def put(self, array):
        """A ctypes array or struct on the device."""
        address = self.bytes(c.sizeof(array))
        self.check(self.lib.write(self.handle, address, c.byref(array), c.sizeof(array)))
        self.check(self.lib.wait(self.handle))
        return address

    def free_all(self):
        self.check(self.lib.wait(self.handle))
        for address in self.memory:
            self.lib.release(self.handle, address)
        self.memory = []

    def time_us(self, launches, runs=20):
        """Median microseconds of all launches together, as one graph."""
        array, graph = (Launch * len(launches))(*launches), P()
        self.check(self.lib.make_graph(self.handle, array, len(launches), c.byref(graph)))
        times = []
        for _ in range(runs + 2):
            start = time.perf_counter()
            self.check(self.lib.run_graph(self.handle, graph))
            self.check(self.lib.wait(self.handle))
            times.append((time.perf_counter() - start) * 1e6)
        self.lib.release_graph(self.handle, graph)
        return sorted(times[2:])[runs // 2]


def launch(op, args):
    made = Launch(op=op, size=c.sizeof(args))
    c.memmove(made.args, c.byref(args), c.sizeof(args))
    return made


def up(n, multiple):
    return (n + multiple - 1) // multiple


# Format: number in formats.h, bytes of a tile of 16 outputs, inputs of a chunk.
FORMATS = {"BF16": (1, 2048, 64), "Q8_0": (3, 2176, 128), "Q4_0": (4, 1152, 128), "Q4_K": (5, 1216, 128),
           "Q6_K": (6, 1696, 128), "IQ2_XXS": (7, 544, 128)}


def slice_count(n, chunks):  # formats.h
    slices = 1
    while slices < 32 and up(n, 128) * slices < 192 and chunks // (slices * 2) >= 2:
        slices *= 2
    return slices


def linear_launch(device, name, n, k, rows, shared):
    number, tile, chunk = FORMATS[name]
    chunks, floats = up(k, chunk), name == "BF16"
    tokens = 8 if rows <= 8 else 32 if rows <= 64 else 128
    panels, token_tiles = up(n, 128), up(rows, tokens)
    serial = tokens == 128 and panels * token_tiles >= device.info.n_multiprocessors
    slices, args = slice_count(n, chunks), LinearArgs()
    args.n_ctas = panels * (1 if serial else slices)
    args.outputs[0] = Output(device.bytes(panels * 8 * chunks * tile, 0x33), None, shared["y"], n, slices, 0, 0)
    args.rows = Rows(shared["x"], shared["x_scales"], shared["x_sums"], 2 if floats else 1, chunks * chunk)
    args.workspace, args.counters = shared["workspace"], shared["counters"]
    args.n_used, args.format, args.n_rows, args.n_chunks = 1, number, rows, chunks
    args.serial_slices, args.token_tile = int(serial), tokens
    return launch(LINEAR, args), panels * 8 * chunks * tile


def linear_table(device, rows, layer, copies, note):
    out = []
    for name in FORMATS:
        most = max(n for n, _ in layer)
        widest = max(k for _, k in layer)
        shared = {"y": device.bytes(rows * most * 4), "x": device.bytes(rows * (widest + 128) * 2, 1),
                  "x_scales": device.bytes(rows * widest), "x_sums": device.bytes(rows * widest),
                  "workspace": device.bytes(512 << 20 if rows > 8 else 64 << 20), "counters": device.bytes(4 << 20)}
        launches, read = [], 0
        for _ in range(copies):
            for n, k in layer:
                made, size = linear_launch(device, name, n, k, rows, shared)
                launches.append(made)
                read += size
        us = device.time_us(launches) / copies
        flops = sum(2 * n * k * rows for n, k in layer)
        out.append([f"ours, {name}", us, read / copies / us / 1e3, flops / us / 1e6])
        device.free_all()
    if torch:
        weights = [[torch.randn(n, k, device="cuda", dtype=torch.bfloat16) for n, k in layer] for _ in range(copies)]
        inputs = {k: torch.randn(rows, k, device="cuda", dtype=torch.bfloat16) for _, k in layer}
        us = torch_us(lambda: [F.linear(inputs[w.shape[1]], w) for ws in weights for w in ws]) / copies
        flops = sum(2 * n * k * rows for n, k in layer)
        out.append(["cuBLAS, BF16", us, sum(n * k * 2 for n, k in layer) / us / 1e3, flops / us / 1e6])
    note(f"linear, the products of a layer, {rows} rows", ["what", "us", "GB/s of weights", "TFLOP/s"], out)


def torch_us(call, runs=20):
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    times = []
    for _ in range(runs):
        torch.cuda.synchronize()
        start = time.perf_counter()
        graph.replay()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) * 1e6)
    return sorted(times)[runs // 2]


def ints(values, kind=I):
    return (kind * len(values))(*values)


def attention_launches(device, sequences, rows, context, shared_tokens, heads, kv_heads, dim, layers):
    """`sequences` contexts whose first tokens are the same blocks; the last `rows` of each are the queries."""
    units = 2 * 32 * dim * 2 // 64
    tiles, span_group, prefix_tiles = up(context, 32), 16 * 8, shared_tokens // 256 * 8
    own = tiles - prefix_tiles
    n_blocks = (prefix_tiles + sequences * own) * kv_heads * layers
    base = device.bytes(n_blocks * units * 64)
    slab_units = kv_heads * layers * units

    slabs, parts, items, item_rows, pieces = [], [], [], [], []
    entries = [[] for _ in range(sequences * rows)]
    prefix = [i * slab_units for i in range(prefix_tiles)]
    for s in range(sequences):
        parts.append(len(slabs))
        slabs += prefix + [(prefix_tiles + s * own + i) * slab_units for i in range(own)]
    partial = 0

    def add(part, members, first, end):
        nonlocal partial
        per_item = max(1, 128 // (heads // kv_heads))
        for at in range(0, len(members), per_item):
            readers = [m for m in members[at:at + per_item] if m[1] > first * 32]
            if not readers:
                continue
            index = len(items) // 6
            items.extend([part, len(item_rows) // 5, len(readers), first, end, partial])
            for row, stop in readers:
                item_rows.extend([row, 0, stop, stop - 1, -1])
                entries[row].append((partial, first // span_group, -1))
                partial += 1
            for head in range(kv_heads):
                queries = len(readers) * heads // kv_heads
                short = queries <= 16 and first // 8 == (end - 1) // 8
                pieces.append((short, -(queries + 16) * (end - first), index, head))

    everyone = [(s * rows + r, context - rows + r + 1) for s in range(sequences) for r in range(rows)]
    for first in range(0, prefix_tiles, span_group):
        add(0, everyone, first, min(first + span_group, prefix_tiles))
    step = 8 if sequences * kv_heads * up(own, span_group) < 4 * device.info.n_multiprocessors else span_group
    for s in range(sequences):
        mine, first = everyone[s * rows:(s + 1) * rows], prefix_tiles
        while first < tiles:
            end = min((first // step + 1) * step, tiles)
            add(s, mine, first, end)
            first = end
    begin, merges = [0], []
    for of_row in entries:
        merges += [x for entry in of_row for x in entry]
        begin.append(len(merges) // 3)

    pieces.sort()
    n_short, bundles = sum(piece[0] for piece in pieces), []
    together = min(8, max(1, up(n_short, device.info.n_multiprocessors)))
    at = 0
    while at < len(pieces):
        taken = min(together, len(pieces) - at) if pieces[at][0] else 1
        bundles += [at, taken, 0, int(pieces[at][0])]
        at += taken
    store = Kv(base, Layout(1, 1, dim, units, 0), layers, kv_heads, 0)
    plan = Plan(
        parts=device.put((Part * len(parts))(*[Part(Table(store, at, 0), 0, context, 0, 0, 2**31 - 1, 1.0, -1, 1.0) for at in parts])),
        items=device.put(ints(items)),
        item_rows=device.put(ints(item_rows)),
        pieces=device.put(ints([x for _, _, item, head in pieces for x in (item, head, 1)])),
        bundles=device.put(ints(bundles)),
        merge_begin=device.put(ints(begin)), merge_entries=device.put(ints(merges)), n_bundles=len(bundles) // 4, n_partials=partial)
    header = Header(slabs=device.put(ints(slabs, U)))
    header.plans[0] = plan
    step_address = device.put(header)
    angles = device.bytes((context + 1) * dim * 2)
    n_rows = sequences * rows
    q, out = device.bytes(n_rows * heads * dim * 4), device.bytes(n_rows * heads * dim * 4)
    partials, counters = device.bytes(partial * heads * (dim + 2) * 4), device.bytes(12)
    launches = []
    for layer in range(layers):
        args = AttentionArgs(
            step_address, Rope(angles, angles, dim, 1), q, partials, counters, 0, layer, heads, kv_heads, dim, 0.1)
        launches.append(launch(ATTENTION, args))
        launches.append(launch(MERGE, MergeArgs(step_address, partials, out, Rows(), 0, n_rows, heads, dim)))
    return launches


def attention_table(device, cases, heads, kv_heads, dim, note):
    out = []
    for sequences, rows, context, shared_tokens in cases:
        token = kv_heads * dim * 4
        apart = sequences * context * token
        layers = max(1, min(8, (256 << 20) // apart))
        pairs = sequences * (rows * (context - rows) + rows * (rows + 1) / 2)
        flops = 4 * pairs * heads * dim
        what = f"{sequences} x {rows} rows, context {context}"
        for grouped in ([shared_tokens, 0] if shared_tokens else [0]):
            launches = attention_launches(device, sequences, rows, context, grouped, heads, kv_heads, dim, layers)
            us = device.time_us(launches) / layers
            read = (grouped + sequences * (context - grouped)) * token
            label = f"ours, {shared_tokens} tokens read together" if grouped else "ours"
            out.append([f"{label}: {what}", us, read / us / 1e3, flops / us / 1e6])
            device.free_all()
        if torch:
            kv = [torch.randn(sequences, kv_heads, context, dim, device="cuda", dtype=torch.bfloat16) for _ in range(2)]
            queries = torch.randn(sequences, heads, rows, dim, device="cuda", dtype=torch.bfloat16)
            from torch.nn.attention import SDPBackend, sdpa_kernel

            for name in ("FLASH_ATTENTION", "CUDNN_ATTENTION"):
                try:
                    with sdpa_kernel(getattr(SDPBackend, name)):
                        causal = rows > 1 and rows == context
                        call = lambda: F.scaled_dot_product_attention(queries, *kv, is_causal=causal, enable_gqa=True)
                        us = torch_us(call)
                    done = flops if causal or rows == 1 else 4 * sequences * rows * context * heads * dim
                    out.append([f"SDPA {name}: {what}", us, apart / us / 1e3, done / us / 1e6])
                except RuntimeError as error:
                    out.append([f"SDPA {name}: {what}: {str(error).splitlines()[0][:60]}", 0, 0, 0])
    note(f"attention and merge, {heads}/{kv_heads} heads of {dim}", ["what", "us", "GB/s of KV", "TFLOP/s"], out)


def copy_table(note):
    if not torch:
        return
    a = torch.empty(2 << 30, dtype=torch.uint8, device="cuda")
    b = torch.empty_like(a)
    us = torch_us(lambda: b.copy_(a))
    x = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    mm = torch_us(lambda: x @ x)
    note("ceilings", ["what", "us", "GB/s", "TFLOP/s"],
         [["copy of 2 GiB, read and written", us, 2 * (2 << 30) / us / 1e3, 0],
          ["cuBLAS, 8192 x 8192 x 8192 in BF16", mm, 0, 2 * 8192**3 / mm / 1e6]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", required=True)
    parser.add_argument("--small", action="store_true", help="tiny shapes: whether it runs")
    parser.add_argument("--out", default="gpu-check-results")
    options = parser.parse_args()
    device, tables = Device(options.library), []

    def note(title, head, rows):
        tables.append({"title": title, "head": head, "rows": rows})
        print(f"\n## {title}\n\n| {' | '.join(head)} |\n| --- |{' ---: |' * (len(head) - 1)}")
        for row in rows:
            print("| " + " | ".join([row[0]] + [f"{v:.1f}" if v else "-" for v in row[1:]]) + " |", flush=True)

    print(f"# Yardstick\n\n{device.info.name.decode()}, {device.info.n_multiprocessors} multiprocessors, "
          f"PyTorch {torch.__version__ if torch else 'absent'}")
    if options.small:
        linear_table(device, 3, [(128, 256)], 1, note)
        attention_table(device, [(2, 1, 320, 256), (1, 40, 40, 0)], 4, 2, 64, note)
    else:
        copy_table(note)
        layer = [(6144, 4096), (4096, 4096), (28672, 4096), (4096, 14336)]
        for rows in (1, 8, 16, 64, 512, 4096):
            linear_table(device, rows, layer, 4 if rows < 512 else 1, note)
        cases = [(1, 1, 8192, 0), (16, 1, 8192, 0), (64, 1, 8192, 0), (16, 1, 32768, 0), (1, 512, 512, 0),
                 (1, 4096, 4096, 0), (16, 1, 8448, 8192), (64, 1, 8448, 8192), (256, 1, 8448, 8192)]
        attention_table(device, cases, 32, 8, 128, note)
    os.makedirs(options.out, exist_ok=True)
    with open(os.path.join(options.out, "yardstick.json"), "w") as file:
        json.dump(tables, file, indent=2)


if __name__ == "__main__":
    main()
