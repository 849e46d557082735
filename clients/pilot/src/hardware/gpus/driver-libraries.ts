import { existsSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** The library that each vendor's programs open first. */
const libraries = ['libcuda.so.1', 'libhsa-runtime64.so.1', 'libze_loader.so.1', 'libze_intel_gpu.so.1'];

/**
 * Folders of `LD_LIBRARY_PATH` that contain libraries of a device driver. Inside `apptainer --nv`, and on
 * Kubernetes nodes of some providers, only that variable points to them; without it a payload has no CUDA.
 * Other folders concern only the pilot.
 */
export function driverLibraries(env: NodeJS.ProcessEnv): readonly string[] {
  const folders = (env['LD_LIBRARY_PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  return [...new Set(folders)].filter((folder) => libraries.some((name) => existsSync(join(folder, name))));
}
