"""How well does the router tell easy prompts from hard ones?"""
