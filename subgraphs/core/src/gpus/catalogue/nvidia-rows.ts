/** Facts of NVIDIA's models: compute capability, memory, PCI ids, chip and MIG. */
import { nvidiaHopperAndLater } from './nvidia-hopper-and-later.js';
import { nvidiaPascalToAda } from './nvidia-pascal-to-ada.js';
import type { NvidiaRow } from './nvidia-row.types.js';

/** All rows, oldest first. */
export const nvidiaRows: readonly NvidiaRow[] = [...nvidiaPascalToAda, ...nvidiaHopperAndLater];
