import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { numberIn, shareOfPercent, knownValue, type KnownFacts, type Vendor } from './detected-device.js';
import { readText } from './read-text.js';

/** The drivers of AMD and Intel publish some facts as files; NVIDIA's does not. */
export async function kernelFacts(vendor: Vendor, folder: string): Promise<KnownFacts> {
  if (vendor === 'NVIDIA') return {};
  const facts = vendor === 'AMD' ? await amdFacts(folder) : await intelFacts(folder);
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}

type LooseFacts = { readonly [Name in keyof KnownFacts]?: KnownFacts[Name] | undefined };

async function amdFacts(folder: string): Promise<LooseFacts> {
  const read = async (file: string): Promise<string | undefined> =>
    knownValue(await readText(join(folder, file)));
  const [total, used, busy, compute, memory, model] = await Promise.all(
    [
      'mem_info_vram_total',
      'mem_info_vram_used',
      'gpu_busy_percent',
      'current_compute_partition',
      'current_memory_partition',
      'product_name',
    ].map(read),
  );
  return {
    model,
    memoryMiB: mibOf(total),
    memoryUsedMiB: mibOf(used),
    utilisation: shareOfPercent(numberIn(busy)),
    partitionMode: partitionOf(compute, memory),
  };
}

/** Compute and memory partition in one text, as `CPX/NPS4`. */
export function partitionOf(compute: string | undefined, memory: string | undefined): string | undefined {
  // Some releases mark the current mode by a star.
  const words = [compute, memory].flatMap((word) => word?.replace(/\*$/, '') ?? []);
  return words.length === 0 ? undefined : words.join('/');
}

/** Local memory: i915 has it for each card, xe for each tile. */
async function intelFacts(folder: string): Promise<LooseFacts> {
  const card = await cardIn(folder);
  const ofCard = card === undefined ? undefined : await readText(join(card, 'lmem_total_bytes'));
  const ofTiles = await Promise.all(
    (await tilesOfXe(folder)).map(async (tile) =>
      numberIn(decimal(await readText(join(folder, tile, 'physical_vram_size_bytes')))),
    ),
  );
  const sum = ofTiles.reduce<number>((total, bytes) => total + (bytes ?? 0), 0);
  return { memoryMiB: mibOf(ofCard) ?? (sum > 0 ? Math.floor(sum / 2 ** 20) : undefined) };
}

/** Number of tiles of an Intel device; undefined if its driver does not show it. */
export async function tilesIn(folder: string): Promise<number | undefined> {
  const ofXe = await tilesOfXe(folder);
  if (ofXe.length > 0) return ofXe.length;
  const card = await cardIn(folder);
  const ofI915 = card === undefined ? [] : await readdir(join(card, 'gt')).catch(() => []);
  return ofI915.filter((name) => /^gt\d+$/.test(name)).length || undefined;
}

async function cardIn(folder: string): Promise<string | undefined> {
  const drm = join(folder, 'drm');
  const card = (await readdir(drm).catch(() => [])).find((name) => /^card\d+$/.test(name));
  return card === undefined ? undefined : join(drm, card);
}

async function tilesOfXe(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(() => [])).filter((name) => /^tile\d+$/.test(name));
}

function mibOf(bytes: string | undefined): number | undefined {
  const number = numberIn(bytes);
  return number === undefined ? undefined : Math.floor(number / 2 ** 20);
}

function decimal(text: string | undefined): string | undefined {
  return text?.startsWith('0x') ? String(Number(text)) : text;
}
