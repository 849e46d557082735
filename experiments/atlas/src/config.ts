import { type ExperimentConfig, loadExperimentConfig } from '@rhizome/experiment';

/** Reads the configuration from `RHIZOME_ATLAS_…`. @throws DomainError CONFIG_INVALID with every fault */
export function readConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
): ExperimentConfig {
  return loadExperimentConfig({ name: 'atlas', database: 'exp_atlas', port: 4012 }, env);
}
