/** Loads experiments of the repository without knowing their names. */
import type { ExperimentModule } from '@rhizome/experiment';
import type { ExperimentManifest } from '@rhizome/schema/repository';
import { moduleOf } from '../root.js';

/** Loads the package of an experiment. @throws if it does not have the required export */
export async function loadExperiment(manifest: ExperimentManifest): Promise<ExperimentModule> {
  const loaded = (await import(moduleOf(`@rhizome/${manifest.name}`))) as { experiment?: ExperimentModule };
  if (typeof loaded.experiment?.build !== 'function') {
    throw new Error(
      `the package of experiment ${manifest.name} must export "experiment" with "build": see docs/how-to/write-an-experiment.md`,
    );
  }
  return loaded.experiment;
}
