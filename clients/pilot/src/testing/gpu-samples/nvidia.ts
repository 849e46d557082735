/**
 * Output of nvidia-smi, written for tests after public samples. The values are ours; the format is the
 * tool's.
 *
 * - `--query-gpu … --format=csv,noheader,nounits`: manual page nvidia-smi(1) of nvidia-utils 550
 *   (manpages.ubuntu.com, plucky), values
 * of utkuozdemir/nvidia_gpu_exporter issue 67 (driver 510.47.03); refused fields: the tool's message, exit
 * code 2.
 * - `-q -x`: influxdata/telegraf, plugins/inputs/nvidia_smi/testdata/a100-sxm4-v12.xml (driver 535.54.03) and
 *   tesla-t4.xml; row
 *   remapping: 3090-v13.xml in the same folder; recovery action: utkuozdemir/nvidia_gpu_exporter issue 393.
 * - repairs, thresholds, fabric: pro-6000-maxq-blackwell-v13.xml in the same folder (driver 590.44.01); a
 *   fabric that is not up: NVIDIA/gpu-operator
 *   issue 2511 (driver 580.159.04).
 * - counters of Volta and before: gt-1030.xml in the same folder (driver 470.74).
 * - words of drivers since 610 (KMD, CUDA UMD): `nvidia-smi -q` prints them. confidence: LOW for their
 *   spelling in XML: no recorded log was found.
 * - a driver for virtual machines: bigstack-oss/cubecos issue 312 (vGPU 580.105.06), whose "CUDA Version" is
 *   "Not Found".
 * - an integrated GPU: NVIDIA/go-nvlib, pkg/nvlib/info/property-extractor.go, for its line in `-L`.
 * - `-L`: NVIDIA Multi-Instance GPU User Guide, "MIG Device Names" and "Getting Started" (branch 535).
 * - `topo -m`: XueSongTap/XueSongTap.github.io, _posts/2024-01-04-nvidia-smi-more.md (driver 535).
 * - `/proc/driver/nvidia/gpus/…/information`: NVIDIA, README of driver 460.80, "Using the /proc File System
 *   Interface", for the file; its lines
 * as the Slurm charm's tests have them (charmed-hpc/slurm-charms, driver mock) and as Colab shows them, with
 * "Blacklisted" before 460.
 * - a lost device: NVIDIA/dcgm-exporter issue 604; no driver: utkuozdemir/nvidia_gpu_exporter issue 65 (exit
 *   code 9).
 */

const a100 = 'GPU-5c1f7b3e-0a4d-4e7c-9a01-7be0cd21f0a1';
const t4 = 'GPU-0d2f6f1a-3b7e-8c55-b1c4-2ad1e9c3f770';

/** UUIDs of the devices of `mixed`. */
export const mixedIds = {
  slices: [
    'MIG-1b7c0d52-6a0f-5b8e-9c53-0f0a4f1d2c11',
    'MIG-8a3e91f4-77cd-5e02-8d1b-5d9e2b6c7f22',
    'MIG-e5d2a6b8-90fe-51aa-b7c0-3c4d5e6f7a33',
  ],
  a100,
  t4,
} as const;

interface GpuXml {
  readonly bus: string;
  readonly name: string;
  readonly uuid: string;
  readonly deviceId: string;
  readonly memory: readonly [total: number, used: number];
  readonly utilisation?: string;
  readonly ecc?: string;
  readonly mig?: string;
  readonly more?: string;
}

/** One `<gpu>`, with the elements in the tool's order. */
export function gpuXml({ bus, name, uuid, deviceId, memory, utilisation, ecc, mig, more }: GpuXml): string {
  const mode = mig === undefined ? 'N/A' : 'Enabled';
  return `  <gpu id="${bus}">
    <product_name>${name}</product_name>
    <product_brand>NVIDIA</product_brand>
    <product_architecture>Ampere</product_architecture>
    <mig_mode>
      <current_mig>${mode}</current_mig>
      <pending_mig>${mode}</pending_mig>
    </mig_mode>
    <mig_devices>${mig ?? 'None'}</mig_devices>
    <serial>N/A</serial>
    <uuid>${uuid}</uuid>
    <minor_number>0</minor_number>
    <pci>
      <pci_bus>01</pci_bus>
      <pci_device_id>${deviceId}10DE</pci_device_id>
      <pci_bus_id>${bus}</pci_bus_id>
    </pci>
    <fan_speed>N/A</fan_speed>
    <fb_memory_usage>
      <total>${memory[0]} MiB</total>
      <reserved>869 MiB</reserved>
      <used>${memory[1]} MiB</used>
      <free>${memory[0] - memory[1]} MiB</free>
    </fb_memory_usage>
    <utilization>
      <gpu_util>${utilisation ?? 'N/A'}</gpu_util>
      <memory_util>N/A</memory_util>
    </utilization>
    <ecc_mode>
      <current_ecc>${ecc ?? 'Enabled'}</current_ecc>
      <pending_ecc>${ecc ?? 'Enabled'}</pending_ecc>
    </ecc_mode>
${more ?? ''}
    <processes></processes>
  </gpu>`;
}

/** One `<mig_device>`. */
function migXml(index: number, memory: readonly [total: number, used: number], errors = 0): string {
  return `
      <mig_device>
        <index>${index}</index>
        <gpu_instance_id>${index + 1}</gpu_instance_id>
        <compute_instance_id>0</compute_instance_id>
        <ecc_error_count>
          <volatile_count>
            <sram_uncorrectable>${errors}</sram_uncorrectable>
          </volatile_count>
        </ecc_error_count>
        <fb_memory_usage>
          <total>${memory[0]} MiB</total>
          <reserved>0 MiB</reserved>
          <used>${memory[1]} MiB</used>
          <free>${memory[0] - memory[1]} MiB</free>
        </fb_memory_usage>
      </mig_device>`;
}

/** The whole log. */
export function smiXml(gpus: readonly string[], driver = '535.54.03', cuda = '12.2'): string {
  return `<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
  <timestamp>Fri Aug  4 11:44:30 2023</timestamp>
  <driver_version>${driver}</driver_version>
  <cuda_version>${cuda}</cuda_version>
  <attached_gpus>${gpus.length}</attached_gpus>
${gpus.join('\n')}
</nvidia_smi_log>
`;
}

/** Memory errors since the driver was loaded, in the form of generations since Ampere. */
export const volatileErrors = (dram: number): string => `    <ecc_errors>
      <volatile>
        <sram_correctable>3</sram_correctable>
        <sram_uncorrectable>0</sram_uncorrectable>
        <dram_correctable>0</dram_correctable>
        <dram_uncorrectable>${dram}</dram_uncorrectable>
      </volatile>
      <aggregate>
        <dram_uncorrectable>7</dram_uncorrectable>
      </aggregate>
    </ecc_errors>`;

/** The same in the form of Volta and before. */
export const doubleBitErrors = (total: number): string => `    <ecc_errors>
      <volatile>
        <single_bit><device_memory>5</device_memory><total>5</total></single_bit>
        <double_bit><device_memory>${total}</device_memory><cbu>N/A</cbu><total>${total}</total></double_bit>
      </volatile>
      <aggregate>
        <double_bit><total>9</total></double_bit>
      </aggregate>
    </ecc_errors>`;

/** Repairs, in the form of drivers since 570. */
export const repairs = ({ channel = 'No', cluster = 'No', beyond = 'N/A', threshold = 'No' }): string =>
  `    <ecc_errors>
      <aggregate>
        <sram_threshold_exceeded>${threshold}</sram_threshold_exceeded>
      </aggregate>
      <channel_repair_pending>${channel}</channel_repair_pending>
      <tpc_repair_pending>${cluster}</tpc_repair_pending>
      <unrepairable_memory>${beyond}</unrepairable_memory>
    </ecc_errors>`;

/** State of the switches that connect GPUs. */
export const fabric = (state: string, status: string, summary = 'N/A'): string => `    <fabric>
      <state>${state}</state>
      <status>${status}</status>
      <health>
        <summary>${summary}</summary>
      </health>
    </fabric>`;

export const remappedRows = (pending: 'Yes' | 'No', failure: 'Yes' | 'No'): string => `    <remapped_rows>
      <remapped_row_corr>0</remapped_row_corr>
      <remapped_row_unc>1</remapped_row_unc>
      <remapped_row_pending>${pending}</remapped_row_pending>
      <remapped_row_failure>${failure}</remapped_row_failure>
    </remapped_rows>`;

/** A host with an A100 that is divided in three, and a T4. */
export const mixed = {
  query: `0, ${a100}, NVIDIA A100-SXM4-80GB, 00000000:01:00.0, 0x20B210DE, 81920, 50, [N/A], 535.54.03, Enabled, Enabled, 8.0
1, ${t4}, Tesla T4, 00000000:3B:00.0, 0x1EB810DE, 15360, 3072, 42, 535.54.03, Enabled, [N/A], 7.5
`,
  xml: smiXml([
    gpuXml({
      bus: '00000000:01:00.0',
      name: 'NVIDIA A100-SXM4-80GB',
      uuid: a100,
      deviceId: '20B2',
      memory: [81920, 50],
      mig: [migXml(0, [40192, 25]), migXml(1, [19968, 12]), migXml(2, [9728, 12])].join(''),
      more: volatileErrors(0),
    }),
    gpuXml({
      bus: '00000000:3B:00.0',
      name: 'Tesla T4',
      uuid: t4,
      deviceId: '1EB8',
      memory: [15360, 3072],
      utilisation: '42 %',
    }),
  ]),
  list: `GPU 0: NVIDIA A100-SXM4-80GB (UUID: ${a100})
  MIG 3g.40gb     Device  0: (UUID: ${mixedIds.slices[0]})
  MIG 2g.20gb     Device  1: (UUID: ${mixedIds.slices[1]})
  MIG 1g.10gb     Device  2: (UUID: ${mixedIds.slices[2]})
GPU 1: Tesla T4 (UUID: ${t4})
`,
} as const;

/** Four GPUs of which the first two and the last two are linked, in the tool's form. */
export const pairsTopology = `\u001b[4m\tGPU0\tGPU1\tGPU2\tGPU3\tNIC0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\u001b[0m
GPU0\t X \tNV4\tSYS\tSYS\tPXB\t0-15\t0\t\tN/A
GPU1\tNV4\t X \tSYS\tSYS\tPXB\t0-15\t0\t\tN/A
GPU2\tSYS\tSYS\t X \tNV4\tSYS\t16-31\t1\t\tN/A
GPU3\tSYS\tSYS\tNV4\t X \tSYS\t16-31\t1\t\tN/A
NIC0\tPXB\tPXB\tSYS\tSYS\t X \t\t\t\t

Legend:

  X    = Self
  SYS  = Connection traversing PCIe as well as the SMP interconnect between NUMA nodes (e.g., QPI/UPI)
  NV#  = Connection traversing a bonded set of # NVLinks
`;

/** Output of the tool when a device has fallen off the bus: the others are still listed. */
export const lostLine = 'Unable to determine the device handle for GPU0000:3B:00.0: Unknown Error';

/** Output of the tool without its driver. */
export const noDriver =
  "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.";

/** Output of the tool for a field that its driver does not know. */
export const refusedField = (name: string): string => `Field "${name}" is not a valid field to query.\n`;

/** `/proc/driver/nvidia/gpus/ADDRESS/information` of an A10G. */
export const procInformation = ({
  uuid = 'GPU-82523fd8-3897-f599-d088-ccd04ae45ec1',
  excluded = 'No',
  minor = 3,
} = {}): string =>
  [
    'Model: \t\t NVIDIA A10G',
    'IRQ:   \t\t 42',
    `GPU UUID: \t ${uuid}`,
    'Video BIOS: \t 94.02.75.00.01',
    'Bus Type: \t PCIe',
    'Bus Location: \t 0000:00:1e.0',
    `Device Minor: \t ${minor}`,
    `GPU Excluded:\t ${excluded}`,
  ].join('\n');
