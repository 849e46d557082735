/** What is told of models of NVIDIA: compute capability, memory, PCI ids, chip and MIG. */
import { nvidiaHopperAndLater } from './nvidia-hopper-and-later.js';
import { nvidiaPascalToAda } from './nvidia-pascal-to-ada.js';
import type { NvidiaRow } from './nvidia-row.types.js';

/** All of them, the oldest first. */
export const nvidiaRows: readonly NvidiaRow[] = [...nvidiaPascalToAda, ...nvidiaHopperAndLater];
