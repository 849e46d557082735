/** Source types of this folder's SDL types. */
import type { GpuHardware } from '../hardware-map.js';
import type { SiteHardware } from '../hardware-map.service.js';

export type GpuHardwareMapper = GpuHardware;
export type SiteGpuHardwareMapper = SiteHardware;
