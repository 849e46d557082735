/**
 * Output of xpu-smi, written for tests after public samples. The values are ours; the formats are the tool's.
 *
 * - `discovery -j`: intel/xpumanager, doc/smi_user_guide.md, "Discover the devices in this machine" (xpu-smi
 *   1.2).
 * - `discovery -d ID -j`: the fields of intel/xpumanager issue 127, which shows a whole device as JSON
 *   (xpu-smi 1.3); the form of one device
 *   alone: issue 117.
 * - `stats -d ID -j`: intel/xpumanager, cli/src/core_stub/statistics_stub.cpp, which writes `device_level`,
 *   and `tile_level` with a `data_list`
 *   for each tile; read so by nicejunjie/intel-smi.
 * - `health -d ID -j`: intel/xpumanager, cli/src/comlet_health.cpp and cli/src/core_stub/lib_core_stub.cpp,
 *   which write `status` and
 * `description` for each component. confidence: LOW for the words of a status other than OK: no recorded
 * output of a broken device was found.
 * - `stats -d ID -j` and `device_state` of release 2: intel/xpumanager, ial/cmn/cmd_stats.cpp and
 *   cmd_discovery.cpp, cmd_discovery.h (2.0.0).
 * - numbers of devices are those of Level Zero by address: intel/xpumanager's programs set
 *   ZE_ENABLE_PCI_ID_DEVICE_ORDER for themselves.
 */

/** Two Max 1100, one virtual function, and an integrated device. */
export const discovery = JSON.stringify({
  device_list: [
    {
      device_function_type: 'physical',
      device_id: 0,
      device_name: 'Intel(R) Data Center GPU Max 1100',
      device_type: 'GPU',
      drm_device: '/dev/dri/card1',
      pci_bdf_address: '0000:29:00.0',
      pci_device_id: '0xbda',
      uuid: '00000000-0000-0029-0000-002f0bda8086',
      vendor_name: 'Intel(R) Corporation',
    },
    {
      device_function_type: 'physical',
      device_id: 1,
      device_name: 'Intel(R) Data Center GPU Max 1100',
      device_type: 'GPU',
      pci_bdf_address: '0000:9a:00.0',
      pci_device_id: '0xbda',
      uuid: '00000000-0000-009a-0000-002f0bda8086',
      vendor_name: 'Intel(R) Corporation',
    },
    {
      device_function_type: 'virtual',
      device_id: 2,
      device_name: 'Intel(R) Data Center GPU Max 1100',
      pci_bdf_address: '0000:9a:00.1',
      pci_device_id: '0xbda',
      uuid: '00000000-0000-009a-0001-002f0bda8086',
    },
    {
      device_function_type: 'physical',
      device_id: 3,
      device_name: 'Intel(R) UHD Graphics 770',
      pci_bdf_address: '0000:00:02.0',
      pci_device_id: '0x4680',
      uuid: '00000000-0000-0002-0000-000046808086',
    },
  ],
});

/** A device in detail. */
export const details = JSON.stringify({
  device_id: 0,
  device_name: 'Intel(R) Data Center GPU Max 1100',
  driver_version: 'I915_23.10.32_PSB_231129.32',
  memory_ecc_state: 'enabled',
  memory_physical_size: '49152.00 MiB',
  memory_physical_size_byte: '51539607552',
  pci_bdf_address: '0000:29:00.0',
});

/** Statistics of a device with one tile. */
export const stats = JSON.stringify({
  device_id: 0,
  device_level: [
    { metrics_type: 'XPUM_STATS_GPU_UTILIZATION', value: 63.5 },
    { metrics_type: 'XPUM_STATS_MEMORY_USED', value: 2048.25 },
  ],
});

/** Statistics of a device with two tiles. */
export const tileStats = JSON.stringify({
  device_id: 0,
  device_level: [{ metrics_type: 'XPUM_STATS_POWER', value: 120 }],
  tile_level: [
    {
      tile_id: 0,
      data_list: [
        { metrics_type: 'XPUM_STATS_GPU_UTILIZATION', value: 100 },
        { metrics_type: 'XPUM_STATS_MEMORY_USED', value: 1000 },
      ],
    },
    {
      tile_id: 1,
      data_list: [
        { metrics_type: 'XPUM_STATS_GPU_UTILIZATION', value: 50 },
        { metrics_type: 'XPUM_STATS_MEMORY_USED', value: 500 },
      ],
    },
  ],
});

/** Statistics of a device with two tiles, in the form of release 2. */
export const newStats = JSON.stringify({
  device_index: 0,
  pci_bdf: '0000:29:00.0',
  device_type: 'discrete',
  power: { gpu_power_w: { tile_0: { avg: 60.5, min: 60, max: 61, current: 61 } } },
  memory: {
    used_mib: {
      tile_0: { avg: 900, min: 800, max: 1000, current: 1000.5 },
      tile_1: { avg: 500, min: 500, max: 500, current: 500 },
    },
  },
  utilization: {
    compute_engines: { engine_0: { avg: 99, min: 99, max: 99, current: 99 } },
    gpu_percent: { tile_0: 100, tile_1: 50 },
  },
  offline_page_count: 0,
});

/** The health of a device; the argument is the state of its memory. */
export const health = (memory: string): string =>
  JSON.stringify({
    device_id: 1,
    core_temperature: { status: 'OK', description: 'All temperature sensors are healthy.' },
    memory: { status: memory, description: 'The memory has uncorrectable errors.' },
  });
