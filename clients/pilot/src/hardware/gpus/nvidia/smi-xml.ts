import type { Element } from '@xmldom/xmldom';
import {
  numberIn,
  shareOfPercent,
  pciAddressOf,
  pciIdOf,
  knownValue,
  type KnownFacts,
} from '../detected-device.js';
import { faultOf, ownTextOf, uncorrectable } from './smi-faults.js';
import { isEnabled, isGpuUuid } from './smi-query.js';
import { childOf, childrenOf, rootOf, textAt } from './xml.js';

/** A MIG device in the XML. `nvidia-smi -L` has its UUID and profile, by the same index. */
export interface XmlSlice {
  readonly index: number;
  /**
   * Its instances on the GPU, as `2/0`, its name before driver 470. Undefined if the log does not have them.
   */
  readonly instances: string | undefined;
  readonly memoryMiB: number | undefined;
  readonly memoryUsedMiB: number | undefined;
  /** Reason why it is unhealthy; undefined if it is healthy. */
  readonly fault: string | undefined;
}

/** A GPU in the XML. */
export interface XmlGpu {
  readonly uuid: string;
  readonly facts: { readonly [Name in keyof KnownFacts]?: KnownFacts[Name] | undefined };
  readonly isMig: boolean;
  readonly slices: readonly XmlSlice[];
  /** Reason why it is unhealthy; undefined if it is healthy. */
  readonly fault: string | undefined;
  /** True if some values could not be read, which also happens on a healthy GPU. */
  readonly hasGaps: boolean;
}

/** Reads `nvidia-smi -q -x`; empty if the text is not such a log. Unknown elements are ignored. */
export function parseSmiXml(text: string): readonly XmlGpu[] {
  const log = rootOf(withoutNames(text), 'nvidia_smi_log');
  if (log === undefined) return [];
  // Since 610 the tool shows the kernel's and the libraries' driver separately: KMD and CUDA UMD.
  const driver = knownValue(textAt(log, 'driver_version')) ?? knownValue(textAt(log, 'kmd_version'));
  const cuda = knownValue(textAt(log, 'cuda_version')) ?? knownValue(textAt(log, 'cuda_umd_version'));
  return childrenOf(log, 'gpu').flatMap((gpu) => {
    const uuid = knownValue(textAt(gpu, 'uuid'));
    if (uuid === undefined || !isGpuUuid(uuid)) return [];
    const slices = childrenOf(childOf(gpu, 'mig_devices'), 'mig_device').map(sliceOf);
    return [
      {
        uuid,
        facts: { ...factsOf(gpu), driverVersion: driver, cudaVersion: cuda },
        isMig: isEnabled(textAt(gpu, 'mig_mode', 'current_mig')) === true,
        slices,
        fault: faultOf(gpu, cuda !== undefined && /^\d/.test(cuda)),
        hasGaps: /Unknown Error|ERR!/.test(ownTextOf(gpu)),
      },
    ];
  });
}

/**
 * The log without the names of processes, which the tool does not escape: an angle bracket would make it
 * invalid XML.
 */
function withoutNames(text: string): string {
  return text.replaceAll(/<process_name>[^\n]*?<\/process_name>(?=\s*<used_memory>)/g, '<process_name/>');
}

function factsOf(gpu: Element): XmlGpu['facts'] {
  return {
    model: knownValue(textAt(gpu, 'product_name')),
    brand: knownValue(textAt(gpu, 'product_brand')),
    pciAddress: pciAddressOf(textAt(gpu, 'pci', 'pci_bus_id') ?? gpu.getAttribute('id')),
    pciId: pciIdOf(
      '10de',
      /^(?:0x)?([0-9a-f]{4})10de$/i.exec(textAt(gpu, 'pci', 'pci_device_id') ?? '')?.[1],
    ),
    memoryMiB: numberIn(textAt(gpu, 'fb_memory_usage', 'total')),
    memoryUsedMiB: numberIn(textAt(gpu, 'fb_memory_usage', 'used')),
    utilisation: shareOfPercent(numberIn(textAt(gpu, 'utilization', 'gpu_util'))),
    eccEnabled: isEnabled(textAt(gpu, 'ecc_mode', 'current_ecc')),
  };
}

function sliceOf(slice: Element): XmlSlice {
  const errors = uncorrectable(childOf(childOf(slice, 'ecc_error_count'), 'volatile_count'));
  const instances = ['gpu_instance_id', 'compute_instance_id'].map((name) => numberIn(textAt(slice, name)));
  return {
    index: numberIn(textAt(slice, 'index')) ?? -1,
    instances: instances.includes(undefined) ? undefined : instances.join('/'),
    memoryMiB: numberIn(textAt(slice, 'fb_memory_usage', 'total')),
    memoryUsedMiB: numberIn(textAt(slice, 'fb_memory_usage', 'used')),
    fault: errors > 0 ? `${errors} uncorrectable memory errors` : undefined,
  };
}
