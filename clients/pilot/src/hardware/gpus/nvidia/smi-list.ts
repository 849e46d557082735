/** A MIG device of `nvidia-smi -L`. */
export interface ListedSlice {
  /** Counts the slices of its GPU; the same as `index` in the XML. */
  readonly index: number;
  /** As `1g.10gb`. */
  readonly profile: string;
  readonly uuid: string;
}

/** A GPU of `nvidia-smi -L`. */
export interface ListedGpu {
  readonly index: number;
  readonly name: string;
  readonly uuid: string;
  readonly slices: readonly ListedSlice[];
}

const gpuLine = /^GPU (\d+): (.+) \(UUID: ((?:GPU-)?[0-9a-fA-F-]+)\)/;
const sliceLine = /^\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: (MIG-[^)]+)\)/;

/**
 * Reads `nvidia-smi -L`: the only output that names profile and UUID of MIG devices on every driver. Other
 * lines are ignored.
 */
export function parseSmiList(text: string): readonly ListedGpu[] {
  const gpus: { index: number; name: string; uuid: string; slices: ListedSlice[] }[] = [];
  for (const line of text.split('\n')) {
    const [, index, name, uuid] = gpuLine.exec(line) ?? [];
    if (index !== undefined && name !== undefined && uuid !== undefined)
      gpus.push({ index: Number(index), name, uuid, slices: [] });
    const [, profile, slice, sliceUuid] = sliceLine.exec(line) ?? [];
    if (profile !== undefined && sliceUuid !== undefined)
      gpus.at(-1)?.slices.push({ index: Number(slice), profile, uuid: sliceUuid });
  }
  return gpus;
}
