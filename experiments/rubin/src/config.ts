import { type ExperimentConfig, loadExperimentConfig } from '@rhizome/experiment';

/** Reads the configuration from `RHIZOME_RUBIN_…`. @throws DomainError CONFIG_INVALID with every fault */
export function readConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
): ExperimentConfig {
  return loadExperimentConfig({ name: 'rubin', database: 'exp_rubin', port: 4014 }, env);
}
