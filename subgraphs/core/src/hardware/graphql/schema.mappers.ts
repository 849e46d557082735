/** What stands behind the types of this folder's SDL. */
import type { GpuHardware } from '../hardware-map.js';
import type { SiteHardware } from '../hardware-map.service.js';

export type GpuHardwareMapper = GpuHardware;
export type SiteGpuHardwareMapper = SiteHardware;
