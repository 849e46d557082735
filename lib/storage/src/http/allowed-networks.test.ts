import { describe, expect, it } from '@jest/globals';
import { AllowedNetworks } from './allowed-networks.js';

const none = new AllowedNetworks([]);

describe('AllowedNetworks', () => {
  it.each([
    ['http://127.0.0.1/', 'this machine'],
    ['http://2130706433/', 'this machine'],
    ['http://0x7f.1/', 'this machine'],
    ['http://0177.0.0.1/', 'this machine'],
    ['http://0/', 'this machine'],
    ['http://[::1]/', 'this machine'],
    ['http://[::]/', 'this machine'],
    ['http://[::ffff:127.0.0.1]/', 'this machine'],
    ['http://10.1.2.3/', 'a private network'],
    ['http://172.31.0.1/', 'a private network'],
    ['http://192.168.1.1/', 'a private network'],
    ['http://100.64.0.1/', 'a private network'],
    ['http://[fd12::1]/', 'a private network'],
    ['http://[::ffff:10.1.2.3]/', 'a private network'],
    ['http://[fe80::1]/', 'metadata service'],
    ['http://169.254.169.254/', 'metadata service'],
    ['http://[fd00:ec2::254]/', 'metadata service'],
    ['http://[::ffff:a9fe:a9fe]/', 'metadata service'],
    ['http://[64:ff9b::a9fe:a9fe]/', 'metadata service'],
    ['http://[64:ff9b::a00:1]/', 'a private network'],
    ['http://[64:ff9b::1]/', 'this machine'],
    ['http://[2002:7f00:1::]/', 'translated'],
    ['http://224.0.0.1/', 'multicast'],
    ['http://255.255.255.255/', 'reserved'],
  ])('refuses %s', (url, kind) => {
    expect(() => none.assertAllowed(url)).toThrow(kind);
  });

  it.each(['https://1.1.1.1/', 'http://172.32.0.1/', 'http://[2001:db8::1]/', 'http://[64:ff9b::101:101]/'])(
    'allows the public address of %s',
    (url) => {
      expect(() => none.assertAllowed(url)).not.toThrow();
    },
  );

  it('allows the networks and addresses that it is given, and no metadata services', () => {
    const some = new AllowedNetworks(['10.1.0.0/16', '127.0.0.1', 'fd00::/8', '169.254.0.0/16']);
    for (const url of [
      'http://10.1.2.3/',
      'http://127.0.0.1/',
      'http://[fd12::1]/',
      'http://[::ffff:10.1.0.9]/',
    ])
      expect(() => some.assertAllowed(url)).not.toThrow();
    for (const url of [
      'http://10.2.0.1/',
      'http://127.0.0.2/',
      'http://169.254.169.254/',
      'http://[fd00:ec2::254]/',
    ])
      expect(() => some.assertAllowed(url)).toThrow();
  });

  it('refuses the translated address of a metadata service in a network that is allowed', () => {
    const some = new AllowedNetworks(['64:ff9b::/96']);
    expect(() => some.assertAllowed('http://[64:ff9b::a9fe:a9fe]/')).toThrow('metadata service');
    expect(() => some.assertAllowed('http://[64:ff9b::a00:1]/')).not.toThrow();
  });

  it.each(['10.0.0.0/33', 'fd00::/129', '300.1.1.1', '1.2.3', 'a b', 'http://a', '', '-a', 'a/8'])(
    'is not made with %j',
    (entry) => {
      expect(() => new AllowedNetworks([entry])).toThrow(RangeError);
    },
  );
});
