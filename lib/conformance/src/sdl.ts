import { parse, print } from 'graphql';
import { firstDifference, type ServedSchema } from './served-schema.js';
import { Broken, type Check, type EndpointContract, Skipped } from './types.js';

/** It serves the SDL that is published, and the SDL keeps the project's rules. */
export function sdlChecks(contract: EndpointContract, served: () => ServedSchema): readonly Check[] {
  return [
    {
      part: 'sdl',
      promise: 'it serves its SDL in `_service { sdl }`',
      run: async () => `${served().roots.length} root fields, ${served().entities.length} entities`,
    },
    {
      part: 'sdl',
      promise: 'the SDL served is the SDL published',
      run: async () => {
        if (contract.published === undefined) throw new Skipped('needs the published SDL to compare');
        const spelling = contract.spelling ?? ((text: string) => print(parse(text)));
        const [is, should] = [spelling(served().sdl), spelling(contract.published)];
        if (is === should) return 'the same, spelling aside';
        throw new Broken(
          `they differ: served ${firstDifference(is, should)} published`,
          'publish what is served, or deploy what was published',
        );
      },
    },
    {
      part: 'rules',
      promise: 'the SDL keeps the project’s rules',
      run: async () => {
        if (!contract.checkSchema) throw new Skipped('needs the rules');
        const findings = contract.checkSchema(served().sdl);
        if (findings.length === 0) return 'no finding';
        throw new Broken(
          findings.map(({ where, rule }) => `${where} (${rule})`).join(', '),
          findings.map(({ message }) => message).join(' '),
        );
      },
    },
  ];
}
