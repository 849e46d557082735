/** Rendering of the Helm chart. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments, stringify } from 'yaml';

/** Root of the repository. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));
const chart = join(root, 'deploy', 'chart');
const helm = join(root, '.cache', 'helm', 'helm-4.1.4');

/** A container, with the fields that tests read. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[];
  readonly args?: readonly string[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly resources?: { readonly requests: Readonly<Record<string, string>> };
  readonly readinessProbe?: { readonly httpGet: { readonly path: string } };
}

/** A volume, with the fields that tests read. */
export interface Volume {
  readonly name: string;
  readonly secret?: { readonly secretName: string; readonly items?: readonly { readonly key: string }[] };
}

/** An object of Kubernetes, with the fields that tests read. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly replicas?: number;
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: {
        readonly securityContext: Readonly<Record<string, unknown>>;
        readonly automountServiceAccountToken: boolean;
        readonly initContainers?: readonly Container[];
        readonly containers: readonly Container[];
        readonly volumes: readonly Volume[];
      };
    };
  };
}

/** Values in the form of the chart's values.yaml. */
export type Values = Readonly<Record<string, unknown>>;

/** The least values that the chart needs. */
export const leastValues = { gateway: { publicUrl: 'https://rhizome.example.org' } };

/** Values that use everything. */
export const allValues = {
  gateway: {
    publicUrl: 'https://rhizome.example.org',
    identity: { issuers: [] },
    ingress: { enabled: true, className: 'nginx', tlsSecret: 'gateway-tls' },
    autoscaling: { enabled: true, streamsPerPod: 5000 },
  },
  tls: { enabled: true },
  core: { replicas: 3, storageCredentials: 'rhizome-storages' },
  experiments: [
    { name: 'heron', image: 'registry.example/heron:3', env: { RHIZOME_HERON_LOG_LEVEL: 'debug' } },
    { name: 'atlas', tokenSecret: 'atlas-token', port: 4012, replicas: 2 },
  ],
  storage: { enabled: true, ingress: { enabled: true, host: 'files.example.org', tlsSecret: 'files-tls' } },
  networkPolicy: { monitoringNamespace: { 'kubernetes.io/metadata.name': 'monitoring' } },
  monitoring: {
    serviceMonitor: true,
    gatewayTokenSecret: 'metrics-token',
    storageTokenSecret: 'files-metrics-token',
    rules: true,
  },
};

/** Runs Helm. @returns its output @throws Error with what it says, if it refuses */
export async function runHelm(args: readonly string[], values: Values): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-chart-'));
  try {
    const file = join(folder, 'values.yaml');
    await writeFile(file, stringify(values));
    // Neither a configuration of the user, nor a cluster.
    const env = { PATH: process.env['PATH'] ?? '', HELM_CONFIG_HOME: folder, HELM_CACHE_HOME: folder };
    const { stdout } = await promisify(execFile)(helm, [...args, chart, '--values', file], {
      env,
      maxBuffer: 2 ** 26,
    });
    return stdout;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The objects that the chart makes in the namespace `grid`. */
export async function renderChart(values: Values): Promise<readonly KubernetesObject[]> {
  const text = await runHelm(['template', 'rhizome', '--namespace', 'grid'], values);
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null);
}

/** Deployments among the objects. */
export const deploymentsOf = (objects: readonly KubernetesObject[]): readonly KubernetesObject[] =>
  objects.filter(({ kind }) => kind === 'Deployment');

/** A configuration file of a service. */
export function configOf(objects: readonly KubernetesObject[], name: string, file: string): string {
  const map = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name);
  const text = map?.data?.[file];
  if (text === undefined) throw new Error(`the chart has no ${file} in a ConfigMap ${name}`);
  return text;
}
