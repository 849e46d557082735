import { describe, expect, it } from '@jest/globals';
import { EndpointPolicy } from './endpoint-policy.js';

const resolved = (policy: EndpointPolicy, host: string): Promise<unknown> =>
  new Promise((resolve, reject) =>
    policy.lookup(host, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses))),
  );

describe('EndpointPolicy', () => {
  it.each([
    ['http://169.254.169.254/latest', false],
    ['http://[fd00:ec2::254]/latest', false],
    ['http://127.0.0.1:4000/graphql', false],
    ['http://[::1]:4000/graphql', false],
    ['http://[::ffff:169.254.169.254]/', false],
    ['http://[::ffff:7f00:1]/', false],
    ['http://10.1.2.3/graphql', false],
    ['http://192.168.0.1/graphql', false],
    ['http://172.31.0.1/graphql', false],
    ['http://100.100.100.200/graphql', false],
    ['http://0.0.0.0/graphql', false],
    ['http://0x7f.1/graphql', false],
    ['http://2130706433/graphql', false],
    ['https://203.0.113.7/graphql', true],
    ['https://[2001:db8::1]/graphql', true],
    ['https://subgraph.example/graphql', true],
  ])('decides without a list whether %s is allowed: %p', (endpoint, isAllowed) => {
    expect(new EndpointPolicy([]).mayRegister(endpoint)).toBe(isAllowed);
    const plain = endpoint.replace('https:', 'http:');
    expect(new EndpointPolicy([]).mayRegister(plain)).toBe(false);
    expect(new EndpointPolicy([], { insecureTransport: true }).mayRegister(plain)).toBe(isAllowed);
  });

  it.each([
    ['http://10.1.2.3/graphql', true],
    ['http://core.internal/graphql', true],
    ['http://a.site.example/graphql', true],
    ['http://10.2.0.1/graphql', false],
    ['https://203.0.113.7/graphql', false],
    ['http://169.254.169.254/latest', false],
  ])('decides with a list whether %s is allowed: %p', (endpoint, isAllowed) => {
    const policy = new EndpointPolicy(['10.1.0.0/16', 'core.internal', '*.site.example'], {
      insecureTransport: true,
    });
    expect(policy.mayRegister(endpoint)).toBe(isAllowed);
  });

  it('refuses a name by the address that it resolves to', async () => {
    await expect(resolved(new EndpointPolicy([]), 'localhost')).rejects.toThrow(/not allowed/);
    await expect(resolved(new EndpointPolicy(['10.0.0.0/8']), 'localhost')).rejects.toThrow(/not allowed/);
    await expect(resolved(new EndpointPolicy(['localhost']), 'localhost')).resolves.not.toHaveLength(0);
    await expect(resolved(new EndpointPolicy(['127.0.0.0/8', '::1']), 'localhost')).resolves.not.toHaveLength(
      0,
    );
  });
});
