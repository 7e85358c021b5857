"""What agents are asked, and how a program is read out of what they answer. Pure: no model, no execution."""

from mars2.prompting.chat import ChatPrompter
from mars2.prompting.completing import complete_program
from mars2.prompting.parsing import extract_program
from mars2.prompting.roles import load_role, role_names

__all__ = ["ChatPrompter", "complete_program", "extract_program", "load_role", "role_names"]
