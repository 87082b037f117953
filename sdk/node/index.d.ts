export const INTERFACE_ID: string;
export interface ProblemEntry { pointer: string; text: string }
export class Problem extends Error { problems: ProblemEntry[] }
export type Payload = Record<string, string | number | boolean | Record<string, string>>;
export class Message {
  constructor(agentVersion: string, agentId?: string);
  add(name: string, payload?: Payload | Payload[], time?: Date): string;
  body(): Buffer;
}
export interface SenderOptions { caFile?: string; port?: number; connectHost?: string; timeout?: number }
export class Sender {
  constructor(connectionString: string, options?: SenderOptions);
  send(message: Message | Buffer): Promise<void>;
  close(): void;
}
export function validate(body: Buffer | string): ProblemEntry[];
export function isSecurityTopic(topic: string): boolean;
export function markTopic(topic: string): string;
