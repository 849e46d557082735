/** What is told of models of NVIDIA: compute capability, memory, PCI ids, chip and MIG. */
import { nvidiaNewer } from './nvidia-newer.js';
import { nvidiaOlder } from './nvidia-older.js';
import type { NvidiaRow } from './nvidia-row.types.js';

/** All of them, the oldest first. */
export const nvidiaRows: readonly NvidiaRow[] = [...nvidiaOlder, ...nvidiaNewer];
