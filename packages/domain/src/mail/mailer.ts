/** A message to one person, in plain text. */
export interface Mail {
  /** One address. */
  to: string;
  /** One line. */
  subject: string;
  text: string;
}

/** Hands mail to a server that delivers it. */
export interface Mailer {
  /** Resolves when the mail server has taken the message. @throws Error when it does not, within some seconds */
  send(mail: Mail): Promise<void>;
}
