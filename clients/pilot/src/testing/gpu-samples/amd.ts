/**
 * Output of AMD's tools, written for tests after public samples. The values are ours; the formats are the
 * tools'.
 *
 * - `rocm-smi … --json`: influxdata/telegraf, plugins/inputs/amd_rocm_smi/testdata/mi100_rocm602.json (ROCm
 *   6.0.2) and
 * rx6700xt_rocm430.json (ROCm 4.3, whose words have other capitals); "GFX Version" as `--showproductname`
 * prints since ROCm 6.1.
 * - `amd-smi static --json`, `amd-smi metric --json`: omarkamali/picomon, tests, where the devices stand
 *   under `gpu_data`; the bare list of
 * releases before 26: ROCm/rocm-systems pull request 223. RAS and partition: ROCm/amdsmi,
 * docs/how-to/amdsmi-cli-tool.md, "Example output
 * from amd-smi static" (an MI300A, ROCm 7), whose words are the JSON's keys in capitals; parts of a divided
 * device with their own function on
 *   the bus: ROCm/amdsmi issues 132 and 134 (amd-smi 26.0.2, MI300X in DPX).
 * - `amd-smi partition --json`: ROCm/gpu-operator, tests of the config manager, which read
 *   `current_partition` (amd-smi 26).
 * - `amd-smi metric --json` written twice: ROCm/rocm-systems pull request 3067; warnings on the same output:
 *   ROCm/amdsmi pull request 114; the mark
 *   that a device has lost too many pages: ROCm/amdsmi, CHANGELOG.md, ROCm 7.0.2.
 * - `amd-smi version --json`: ROCm/amdsmi, amdsmi_cli/amdsmi_commands.py, which writes these keys in this
 *   order (amd-smi 26).
 * - `metric`, the counts of `ecc`: the same program. confidence: LOW: no recorded output of a device with
 *   errors was found.
 * - `properties` of the compute driver: kernel, drivers/gpu/drm/amd/amdkfd/kfd_topology.c;
 *   `gfx_target_version 90010` is gfx90a.
 */

/** `rocm-smi` of ROCm 6 on a host with an MI100 and a Radeon without unique id. */
export const rocmSmi = JSON.stringify({
  card0: {
    'Device ID': '0x738c',
    'Device Rev': '0x1',
    'Unique ID': '0x4edfb117a17a07d',
    'GPU use (%)': '37',
    'PCI Bus': '0000:83:00.0',
    'VRAM Total Memory (B)': '34342961152',
    'VRAM Total Used Memory (B)': '6750208',
    'Card series': 'Arcturus GL-XL [Instinct MI100]',
    'Card model': '0x0c34',
    'Card vendor': 'Advanced Micro Devices, Inc. [AMD/ATI]',
    'GFX Version': 'gfx908',
  },
  card1: {
    'Device ID': '0x73df',
    'Unique ID': 'N/A',
    'GPU use (%)': '0',
    'PCI Bus': '0000:C7:00.0',
    'VRAM Total Memory (B)': '12868124672',
    'VRAM Total Used Memory (B)': '1572757504',
    'Card series': '0x73df',
    'Card model': '0x6601',
  },
  system: { 'Driver version': '6.3.6' },
});

/** `rocm-smi` of ROCm 4.3, with the warning that the tool writes before its JSON. */
export const oldRocmSmi = `WARNING: AMD GPU device(s) is/are in a low-power state. Check power control/runtime_status

${JSON.stringify({
  card0: {
    'GPU ID': '0x66a1',
    'Unique ID': '0x213f3c2c1d5b8a90',
    'GPU use (%)': '12',
    'PCI Bus': '0000:0B:00.0',
    'VRAM Total Memory (B)': '34342961152',
    'VRAM Total Used Memory (B)': '13000000',
    'Card series': 'Vega 20 [Radeon Instinct MI50 32GB]',
  },
  system: { 'Driver version': '5.9.25' },
})}
`;

const amount = (value: number, unit: string): { value: number; unit: string } => ({ value, unit });

function staticOf(gpu: number, bdf: string, serial: string, compute = 'SPX') {
  return {
    gpu,
    asic: {
      market_name: 'AMD Instinct MI300X',
      vendor_id: '0x1002',
      vendor_name: 'Advanced Micro Devices Inc. [AMD/ATI]',
      device_id: '0x74a1',
      asic_serial: serial,
      oam_id: gpu,
      num_compute_units: 304,
      target_graphics_version: 'gfx942',
    },
    bus: { bdf, max_pcie_width: 16, slot_type: 'OAM' },
    driver: { name: 'amdgpu', version: '6.10.5' },
    ras: { ecc_block_state: { UMC: 'ENABLED', GFX: 'ENABLED', MMHUB: 'DISABLED' } },
    partition: { accelerator_partition: compute, memory_partition: 'NPS1', partition_id: 0 },
    vram: { type: 'HBM3', vendor: 'SAMSUNG', size: amount(196592, 'MB'), bit_width: 8192 },
  };
}

function metricOf(gpu: number, uncorrectable: number): object {
  return {
    gpu,
    usage: { gfx_activity: amount(25, '%'), umc_activity: amount(3, '%'), vcn_activity: ['N/A'] },
    ecc: { total_correctable_count: 4, total_uncorrectable_count: uncorrectable, total_deferred_count: 0 },
    mem_usage: { total_vram: amount(196592, 'MB'), used_vram: amount(1024, 'MB') },
  };
}

/** Two MI300X, the second with memory errors, in the form of ROCm 6.4. */
export const amdSmi = {
  static: JSON.stringify({
    gpu_data: [
      staticOf(0, '0000:05:00.0', '0x6F1F0A2B3C4D5E6F'),
      staticOf(1, '0000:26:00.0', '0x6F1F0A2B3C4D5E70'),
    ],
  }),
  metric: JSON.stringify({ gpu_data: [metricOf(0, 0), metricOf(1, 2)] }),
  version: JSON.stringify([
    { tool: 'AMDSMI Tool', version: '25.3.0', amdsmi_library_version: '25.3.0', rocm_version: '6.4.1' },
  ]),
} as const;

/**
 * Facts that `static` does not have since release 26: for two parts of a device in DPX, only the first is
 * shown.
 */
export const partitions = JSON.stringify({
  current_partition: [
    { gpu_id: 0, memory: 'NPS1', accelerator_type: 'DPX', accelerator_profile_index: 1, partition_id: '0' },
    {
      gpu_id: 1,
      memory: 'N/A',
      accelerator_type: 'N/A',
      accelerator_profile_index: 'N/A',
      partition_id: '1',
    },
  ],
  memory_partition: [{ gpu_id: 0, memory_partition: { caps: 'NPS1,NPS4', current: 'NPS1' } }],
});

/** `static` of the two, in the form of release 26. */
export const withoutPartition = JSON.stringify({
  gpu_data: [0, 1].map((index) => {
    const { partition: _partition, ...facts } = staticOf(index, `0000:05:00.${index}`, '0x6F1F0A2B3C4D5E6F');
    return facts;
  }),
});

/** One MI300X in partition mode CPX, which the tool lists several times, as a bare list. */
export const partitioned = JSON.stringify(
  [0, 1, 2].map((index) => staticOf(index, `0000:05:00.${index}`, '0x6F1F0A2B3C4D5E6F', 'CPX')),
);

/** `properties` of a node of the compute driver: an MI210 at the place on the bus. */
export const kfdProperties = (locationId: number): string =>
  [
    'cpu_cores_count 0',
    'simd_count 416',
    'vendor_id 4098',
    'device_id 29711',
    `location_id ${locationId}`,
    'domain 0',
    'gfx_target_version 90010',
  ].join('\n');
