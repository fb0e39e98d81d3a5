"""Tells people and programs about alarms: DingTalk, WeCom and Feishu robots, webhooks, e-mail, commands, Apprise.

:func:`smsreceipt.notify.robots.robots_of` makes a robot of each `--notify`. Secrets come from the environment or from a
file that only its owner can read; messages and errors name the host at most.
"""
