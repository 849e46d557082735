import { type ExperimentConfig, loadExperimentConfig } from '@rhizome/experiment';

/** Reads the configuration from `RHIZOME_EPIC_…`. @throws DomainError CONFIG_INVALID with every fault */
export function readConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
): ExperimentConfig {
  return loadExperimentConfig({ name: 'epic', database: 'exp_epic', port: 4013 }, env);
}
