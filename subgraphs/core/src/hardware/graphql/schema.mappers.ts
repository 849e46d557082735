/** What stands behind the types of this folder's SDL. */
import type { SiteHardware } from '../hardware-map.service.js';

export type SiteGpuHardwareMapper = SiteHardware;
