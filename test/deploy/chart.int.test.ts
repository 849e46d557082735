import { beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import {
  allValues,
  configOf,
  type Container,
  deploymentsOf,
  type KubernetesObject,
  leastValues,
  renderChart,
  root,
  runHelm,
} from './chart.js';

let small: readonly KubernetesObject[];
let all: readonly KubernetesObject[];
beforeAll(async () => {
  [small, all] = await Promise.all([renderChart(leastValues), renderChart(allValues)]);
});

const containersOf = ({ spec }: KubernetesObject): readonly Container[] => [
  ...(spec.template.spec.initContainers ?? []),
  ...spec.template.spec.containers,
];

/** Thousandths of a core, or bytes. */
function amountOf(quantity: string): number {
  const [, digits = '', unit = ''] = /^(\d+)(m|Mi|Gi)?$/.exec(quantity) ?? [];
  const factor = { m: 1, Mi: 2 ** 20, Gi: 2 ** 30, '': 1000 }[unit];
  if (factor === undefined) throw new Error(`unknown quantity ${quantity}`);
  return Number(digits) * factor;
}

describe('chart', () => {
  it('passes the checks of Helm', async () => {
    expect(await runHelm(['lint', '--strict'], allValues)).toContain('0 chart(s) failed');
  });

  it('makes objects that Kubernetes accepts', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rhizome-chart-'));
    try {
      // The checker knows no definitions of the Prometheus Operator.
      const known = all.filter(({ apiVersion }) => !apiVersion.startsWith('monitoring.coreos.com/'));
      const file = join(folder, 'objects.yaml');
      await writeFile(file, known.map((object) => stringify(object)).join('---\n'));
      const checker = join(root, '.cache', 'python', 'bin', 'kubernetes-validate');
      const { stdout, stderr } = await promisify(execFile)(checker, ['--strict', '-k', '1.35', file]);
      expect(`${stdout}${stderr}`.match(/passed for resource/g)).toHaveLength(known.length);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('runs core and the gateway of a small site on 1 CPU and 2 GiB', () => {
    expect(deploymentsOf(small).map(({ metadata }) => metadata.name)).toEqual([
      'rhizome-core',
      'rhizome-gateway',
    ]);
    const requests = deploymentsOf(small).flatMap(({ spec }) =>
      spec.template.spec.containers.map(({ resources }) => resources?.requests ?? {}),
    );
    const sum = (name: string): number =>
      requests.reduce((total, one) => total + amountOf(one[name] ?? ''), 0);
    expect(sum('cpu')).toBeLessThanOrEqual(1000);
    expect(sum('memory')).toBeLessThanOrEqual(2 * 2 ** 30);
  });

  it('runs every container without rights of its own', () => {
    for (const deployment of deploymentsOf(all)) {
      const pod = deployment.spec.template.spec;
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const { securityContext } of containersOf(deployment))
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
    }
  });

  it('mounts volumes that exist, and gives each service its own keys only', () => {
    const keysOf: Record<string, readonly string[]> = {};
    for (const deployment of deploymentsOf(all)) {
      const { volumes } = deployment.spec.template.spec;
      const names = volumes.map(({ name }) => name);
      for (const { volumeMounts = [] } of containersOf(deployment))
        for (const { name } of volumeMounts) expect(names).toContain(name);
      const shared = volumes.find(({ name }) => name === 'shared-keys');
      keysOf[deployment.metadata.name] = shared?.secret?.items?.map(({ key }) => key) ?? [];
    }
    expect(keysOf).toEqual({
      'rhizome-core': ['core-rights.json', 'secrets.keys', 'storage.keys'],
      'rhizome-gateway': ['gateway-calls.json', 'identity.keys', 'core-rights.json.jwks'],
      'rhizome-heron': [],
      'rhizome-atlas': [],
      'rhizome-storage': ['storage.keys'],
    });
  });

  it('takes connection strings from the Secret, never from a ConfigMap', () => {
    expect(JSON.stringify(all.filter(({ kind }) => kind === 'ConfigMap'))).not.toMatch(/mongodb/i);
    const uris = deploymentsOf(all).flatMap((deployment) =>
      containersOf(deployment).flatMap(({ env = [] }) =>
        env.flatMap(({ name, valueFrom }) => (name.endsWith('_MONGO_URI') ? [[name, valueFrom]] : [])),
      ),
    );
    expect(Object.fromEntries(uris)).toEqual({
      RHIZOME_CORE_MONGO_URI: { secretKeyRef: { name: 'rhizome-mongodb', key: 'core' } },
      RHIZOME_GATEWAY_MONGO_URI: { secretKeyRef: { name: 'rhizome-mongodb', key: 'gateway' } },
      RHIZOME_HERON_MONGO_URI: { secretKeyRef: { name: 'rhizome-mongodb', key: 'heron' } },
      RHIZOME_ATLAS_MONGO_URI: { secretKeyRef: { name: 'rhizome-mongodb', key: 'atlas' } },
    });
  });

  it('lets only the gateway and other processes of core call core', () => {
    const policy = all.find(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'rhizome-core',
    );
    const from = (component: string): unknown => ({
      podSelector: { matchLabels: expect.objectContaining({ 'app.kubernetes.io/component': component }) },
    });
    expect(policy?.spec).toMatchObject({
      ingress: [
        {
          from: [
            from('gateway'),
            from('core'),
            { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } },
          ],
        },
      ],
    });
  });

  it('serves metrics of services that everybody reaches to those with a token', () => {
    for (const [service, secret] of [
      ['gateway', 'metrics-token'],
      ['storage', 'files-metrics-token'],
    ]) {
      const monitor = all.find(
        ({ kind, metadata }) => kind === 'ServiceMonitor' && metadata.name === `rhizome-${service}`,
      );
      expect(monitor?.spec).toMatchObject({
        endpoints: [{ authorization: { credentials: { name: secret, key: 'token' } } }],
      });
      expect(configOf(all, `rhizome-${service}`, `${service}.yaml`)).not.toContain('openMetrics');
    }
    expect(configOf(all, 'rhizome-storage', 'storage.yaml')).toContain(
      'metricsTokenFile: /run/rhizome/metrics/token',
    );
  });

  it.each([
    ['without a public address', {}, /gateway\.publicUrl: set the public address/],
    ['with a value that it does not know', { ...leastValues, entrance: {} }, /entrance/],
    [
      'with an experiment whose name is no name',
      { ...leastValues, experiments: [{ name: 'My Exp' }] },
      /experiments.*name/s,
    ],
    [
      'with metrics of the file service that everybody could read',
      { ...allValues, monitoring: { serviceMonitor: true, gatewayTokenSecret: 'metrics-token' } },
      /monitoring\.storageTokenSecret is needed/,
    ],
    ['with an address that has a path', { gateway: { publicUrl: 'https://a.example/graphql' } }, /publicUrl/],
  ])('is refused %s', async (_case, values, message) => {
    await expect(renderChart(values)).rejects.toThrow(message);
  });
});
