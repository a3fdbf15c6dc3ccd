import { builtinModules } from 'node:module';
import tseslint from 'typescript-eslint';

/** The floors of docs/architecture.md: a room may import only from its own floor's room and from floors below. */
const floors = [
  ['errors', 'encoding', 'signature', 'merkle', 'note'],
  ['statement', 'proof'],
  ['verify'],
  ['keys', 'store', 'http'],
  ['log', 'client', 'cosigner'],
  ['server', 'witness', 'mirror', 'monitor'],
  ['cli'],
];
const coreFloors = 3;
const nodeModules = {
  regex: `^(node:|(${builtinModules.join('|')})$)`,
  message: 'The core (floors 0 to 2) uses no Node module: it also runs in the browser.',
};
const pure = 'The core (floors 0 to 2) is pure: callers hand it time, randomness and bytes.';
const coreRules = {
  'no-restricted-globals': [
    'error',
    ...['Buffer', 'process', 'fetch', 'performance', 'setTimeout', 'setInterval'].map((name) => ({
      name,
      message: pure,
    })),
  ],
  'no-restricted-syntax': [
    'error',
    {
      selector: 'ImportExpression',
      message: 'The core is loaded whole: the floors see each import.',
    },
    { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: pure },
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: pure },
    { object: 'Math', property: 'random', message: pure },
  ],
};

const floorRules = floors.flatMap((rooms, floor) =>
  rooms.map((room) => {
    const above = floors.slice(floor + 1).flat();
    const beside = floor === 0 ? [] : rooms.filter((other) => other !== room);
    const patterns = [
      {
        group: [...above, ...beside].map((other) => `**/${other}/**`),
        message: `src/${room} is on floor ${floor}: it may not import from beside or above.`,
      },
    ].filter(({ group }) => group.length > 0);
    if (floor < coreFloors) patterns.push(nodeModules);
    return {
      files: [`src/${room}/**/*.ts`, `src/${room}.ts`],
      rules: {
        '@typescript-eslint/no-restricted-imports': ['error', { patterns }],
        ...(floor < coreFloors ? coreRules : {}),
      },
    };
  }),
);

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/require-await': 'off',
      eqeqeq: 'error',
    },
  },
  { files: ['test/**', 'bench/**'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
  { files: ['*.js'], extends: [tseslint.configs.disableTypeChecked] },
  ...floorRules,
);
