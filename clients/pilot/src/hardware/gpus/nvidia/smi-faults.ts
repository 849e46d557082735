import type { Element } from '@xmldom/xmldom';
import { numberIn, knownValue } from '../detected-device.js';
import { childOf, elementsIn, textAt } from './xml.js';

/** Elements whose value is Yes if something is wrong, with the meaning. */
const signs: readonly (readonly [path: readonly string[], fault: string])[] = [
  [['gpu_reset_status', 'reset_required'], 'a reset is required'],
  [['gpu_reset_status', 'drain_and_reset_recommended'], 'a reset is recommended'],
  [['remapped_rows', 'remapped_row_failure'], 'remapping of memory rows has failed'],
  [['remapped_rows', 'remapped_row_pending'], 'remapping of memory rows needs a reset'],
  [['retired_pages', 'pending_retirement'], 'retirement of memory pages needs a reset'],
  // An older element for it, which current drivers write as well.
  [['retired_pages', 'pending_blacklist'], 'retirement of memory pages needs a reset'],
  [['ecc_errors', 'unrepairable_memory'], 'its memory cannot be repaired'],
  [['ecc_errors', 'channel_repair_pending'], 'repair of a memory channel needs a reset'],
  [['ecc_errors', 'tpc_repair_pending'], 'repair of a processing cluster needs a reset'],
  [['ecc_errors', 'aggregate', 'sram_threshold_exceeded'], 'it has had too many errors in its SRAM'],
];

/**
 * Reason why a `<gpu>` cannot be given to a payload, according to its driver: a reset, a pending or failed
 * repair, errors since it was loaded, or a state in which programs are refused. Undefined if there is none.
 * @param hasCuda whether the driver has a CUDA version: the one that divides GPUs for virtual machines has
 *   none
 */
export function faultOf(gpu: Element, hasCuda: boolean): string | undefined {
  const sign = signs.find(([path]) => /^(yes|true)$/i.test(textAt(gpu, ...path) ?? ''));
  if (sign !== undefined) return sign[1];
  const action = knownValue(textAt(gpu, 'gpu_recovery_action'));
  if (action !== undefined) return `its driver asks for: ${action}`;
  const errors = uncorrectable(childOf(childOf(gpu, 'ecc_errors'), 'volatile'));
  if (errors > 0) return `${errors} uncorrectable memory errors`;
  if (/GPU is lost|GPU requires reset/i.test(ownTextOf(gpu))) return 'it is lost';
  if (textAt(gpu, 'compute_mode') === 'Prohibited') return 'its compute mode is Prohibited';
  if (/^host vgpu$/i.test(textAt(gpu, 'gpu_virtualization_mode', 'virtualization_mode') ?? '') && !hasCuda)
    return 'its driver serves virtual machines alone';
  return fabricFault(gpu);
}

/** The part of the log about the GPU itself: names of processes may contain anything. */
export function ownTextOf(gpu: Element): string {
  const own = elementsIn(gpu).filter(({ nodeName }) => !nodeName.endsWith('processes'));
  return own.map(({ textContent }) => textContent ?? '').join('\n');
}

/**
 * Uncorrectable errors. Names of the counters differ by generation: they contain `uncorrectable`, or, before
 * Turing, are under `double_bit` with their total.
 */
export function uncorrectable(volatile: Element | undefined): number {
  const counters = elementsIn(volatile).filter(({ nodeName }) => nodeName.includes('uncorrectable'));
  const before = elementsIn(childOf(volatile, 'double_bit')).filter(({ nodeName }) => nodeName === 'total');
  return [...counters, ...before].reduce((sum, { textContent }) => sum + (numberIn(textContent) ?? 0), 0);
}

/**
 * If GPUs are connected by NVSwitch, none works before its fabric manager has registered it: CUDA returns
 * error 802.
 */
function fabricFault(gpu: Element): string | undefined {
  const state = knownValue(textAt(gpu, 'fabric', 'state'));
  const status = textAt(gpu, 'fabric', 'status') ?? '';
  if (state !== undefined && /^(in progress|not started)$/i.test(state))
    return `its NVSwitch fabric is not up: ${state}`;
  if (/^completed$/i.test(state ?? '') && !/^(success|n\/a|)$/i.test(status))
    return `its NVSwitch fabric is not up: ${status}`;
  return /^unhealthy$/i.test(textAt(gpu, 'fabric', 'health', 'summary') ?? '')
    ? 'its NVSwitch fabric is unhealthy'
    : undefined;
}
