/** Experiments found in the repository, started without being known by name. */
import type { ExperimentModule } from '@rhizome/experiment';
import type { ExperimentManifest } from '@rhizome/schema/repository';

/** Loads the package of an experiment that was found in the repository. Throws when it has no such export. */
export async function loadExperiment(manifest: ExperimentManifest): Promise<ExperimentModule> {
  const loaded = (await import(`@rhizome/${manifest.name}`)) as { experiment?: ExperimentModule };
  if (typeof loaded.experiment?.build !== 'function') {
    throw new Error(
      `the package of experiment ${manifest.name} exports no "experiment" with "build": see docs/how-to/write-an-experiment.md`,
    );
  }
  return loaded.experiment;
}
