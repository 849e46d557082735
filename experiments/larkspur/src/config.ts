import { type ExperimentConfig, loadExperimentConfig } from '@rhizome/experiment';

/** Reads the configuration from `RHIZOME_LARKSPUR_…`. @throws DomainError CONFIG_INVALID with every fault */
export function readConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
): ExperimentConfig {
  return loadExperimentConfig({ name: 'larkspur', database: 'exp_larkspur', port: 4011 }, env);
}
