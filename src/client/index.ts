/** `daybook/client`: the client of a remote log. It runs in Node and in the browser. */
export { DaybookError, type ErrorCode } from '../errors.ts';
export { discoverVkeys } from './discover.ts';
export { LogClient, type LogClientOptions, type LoggedEntry } from './log-client.ts';
export type { ReleaseFileOptions } from './file-maker.ts';
export type { ForkEvidence, HeadState, TrustedHead } from './trusted-head.ts';
export type { Submitted } from './submit.ts';
